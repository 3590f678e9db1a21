A new release where the bad one was, not yet vouched for

Blue with 1.5 fails, green with 1.4 takes over. Then 1.6 is installed on blue and looks well. In the
night green fails.

Setup
  vouched: green, blue
  releases: blue 1.5, green 1.4

Timeline
  20s..80s    blue: 500
  100s        blue now runs 1.6
  200s..      green: 500
  5m          end

Right answer
  switch blue->green, automatic, between 23s and 26s, right from 20s
  gate known_bad is open at 190s
  hold unproven between 203s and 207s
  no other switch

Because 1.6 is not the release that failed, but it has never served a visitor either.
