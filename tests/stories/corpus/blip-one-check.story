A single failed check

One check of blue is reset on the wire. The one before and the one after are fine, and no
visitor has noticed anything.

Timeline
  20s         blue: one check reset
  2m          end

Right answer
  no switch
  no hold
  blue is up at 30s

Because one failed check is noise. Every network has some each day.
