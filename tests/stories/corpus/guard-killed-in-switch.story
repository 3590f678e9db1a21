The guard is killed in the middle of a switch

The switch is under way when the guard is killed. The switcher finishes its work.

Setup
  commits take 3s

Timeline
  20s..       blue: refused
  26s         the daemon is killed and is back after 5s
  3m          end

Right answer
  switch blue->green, automatic, between 23s and 26s, right from 20s
  event switch_completed recovered=true between 31s and 33s
  no other switch
  active is green at 3m

Because what was begun is cleared up, once, and said.
