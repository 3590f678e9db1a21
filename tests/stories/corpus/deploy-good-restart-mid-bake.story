A restart does not shorten a bake

The same, with a good release and a guard that was away for twenty seconds.

Timeline
  20s         alice: switch green because "release 1.5"
  80s         the daemon is killed and is back after 20s
  10m         end

Right answer
  switch blue->green, manual, between 20s and 22s
  event bake_passed upstream=green between 338s and 352s
  no other switch

Because the time in which nobody looked does not count.
