Three operators at once

An alarm wakes three people. Two of them order green in the same second, the third orders teal.

Setup
  upstreams: blue, green, teal

Timeline
  30s         alice: switch green because "alarm"
  30s         bob: switch green because "alarm"
  30s         carol: switch teal because "alarm"
  2m          end

Right answer
  switch blue->green, manual, between 30s and 32s
  no other switch
  order 1 is done
  order 2 is done
  order 3 is refused: switch_in_flight
  active is green at 2m

Because the second joins the first, and one switch at a time is one switch.
