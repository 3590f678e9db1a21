An order and the guard at the same moment

Blue fails; before the guard's three seconds are over alice has switched.

Timeline
  20s..       blue: refused
  22.2s       alice: switch green because "I see it, too"
  3m          end

Right answer
  switch blue->green, manual, between 22s and 23s
  no other switch
  active is green at 3m

Because the person was first, and there is nothing left to do.
