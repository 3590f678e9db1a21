One failed check in a bake

A good release, and one check of it is lost within the bake.

Timeline
  20s         alice: switch green because "release 1.5"
  60s         green: one check reset
  8m          end

Right answer
  switch blue->green, manual, between 20s and 22s
  event bake_passed upstream=green between 320s and 330s
  no other switch

Because stricter does not mean nervous.
