The standby dies just after the active

Blue fails, and 0.8 seconds later green fails, too: what has killed the one kills the other.

Timeline
  20s..       blue: refused
  20.8s..     green: refused
  2m          end

Right answer
  no switch
  hold standby_not_up between 23s and 27s

Because before it acts it must have looked at green since blue began to fail.
