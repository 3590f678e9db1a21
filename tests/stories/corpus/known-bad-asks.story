The way back is known bad: it asks

Blue was left as bad, and looks well again. Then green fails as well. Only the mark stands between.

Setup
  vouched: green, blue

Timeline
  20s..60s    blue: 500
  200s..      green: 500
  260s        alice: approve
  8m          end

Right answer
  switch blue->green, automatic, between 23s and 26s, right from 20s
  hold known_bad between 203s and 207s
  proposal green->blue between 203s and 207s
  order 1 is done
  switch green->blue between 260s and 262s
  no other switch

Because nobody but a person knows whether blue is better than it was, and the person is asked in every
mode.
