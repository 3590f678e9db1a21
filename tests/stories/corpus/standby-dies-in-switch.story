The standby dies during the switch

Blue is down and the switch to green is under way (a slow nginx: five seconds). In the middle of it
green goes down as well.

Setup
  commits take 5s
  vouched: green, blue

Timeline
  20s..       blue: refused
  25.5s..     green: refused
  3m          end

Right answer
  switch blue->green, automatic, between 23s and 25.5s, right from 20s
  hold known_bad between 28s and 40s
  no other switch

Because what was known at the moment of the decision was right. Afterwards both are down: back to
blue, which was left as bad, would be a guess.
