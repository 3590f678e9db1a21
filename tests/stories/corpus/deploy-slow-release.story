A slow release, with a latency limit for bakes

Release 1.5 on green answers in half a second instead of fifty milliseconds. The operator allows
300 ms in a bake.

Setup
  bake.max_latency: 300ms

Timeline
  30s         alice: switch green because "release 1.5"
  32s..       green: ok in 500ms
  8m          end

Right answer
  switch blue->green, manual, between 30s and 32s
  switch green->blue, automatic, between 34s and 37s, right from 32s

Because ten times slower than allowed is a bad release.
