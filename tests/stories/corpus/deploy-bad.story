A bad release

Alice deploys 1.5 on green. Its health page fails twenty seconds later.

Timeline
  20s         alice: switch green because "release 1.5"
  40s..       green: 500
  8m          end

Right answer
  order 1 is done
  switch blue->green, manual, between 20s and 22s
  event bake_started upstream=green between 20s and 22s
  switch green->blue, automatic, between 42s and 45s, right from 40s
  event bake_failed upstream=green between 40s and 45s
  no other switch
  active is blue at 8m

Because this is what it is for. A bake is stricter: two failures and two seconds.
