A good release

Alice deploys 1.5 on green, and all is well.

Timeline
  20s         alice: switch green because "release 1.5"
  8m          end

Right answer
  switch blue->green, manual, between 20s and 22s
  event bake_passed upstream=green between 320s and 326s
  no other switch
  no hold

Because nothing happens.
