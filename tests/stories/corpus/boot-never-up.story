Blue does not come up after a boot of the host

The same, but blue does not come up at all.

Setup
  the host boots at 0s
  vouched: nothing
  stable: green

Timeline
  0s..20s     green: refused
  0s..        blue: refused
  8m          end

Right answer
  event hold_entered gate=starting wanted=true between 120s and 126s
  switch blue->green, automatic, between 300s and 306s, right from 20s

Because grace ends. That it costs minutes when a colour never comes up is the price for not switching at
each boot; `start_grace` is the operator's. That nobody serves is said after
two minutes.
