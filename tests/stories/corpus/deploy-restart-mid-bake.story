The guard is restarted in the middle of a bake

Alice deploys green; a minute later the package of healthguard itself is upgraded. Then green fails.

Timeline
  20s         alice: switch green because "release 1.5"
  80s         the daemon is restarted
  130s..      green: 500
  6m          end

Right answer
  switch blue->green, manual, between 20s and 22s
  switch green->blue, automatic, between 132s and 135s, right from 130s
  no event bake_started between 60s and 6m

Because the bake goes on where it was: the stricter thresholds, and blue as the way back.
