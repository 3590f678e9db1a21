A new release where the bad one was, vouched for

The same, but Alice has tried 1.6 on blue and says so.

Setup
  vouched: green, blue
  releases: blue 1.5, green 1.4

Timeline
  20s..80s    blue: 500
  100s        blue now runs 1.6
  150s        alice: good blue because "tried by hand"
  200s..      green: 500
  5m          end

Right answer
  switch blue->green, automatic, between 23s and 26s, right from 20s
  switch green->blue, automatic, between 203s and 206s, right from 200s
  no other switch

Because it is not known bad, and a person has vouched for it.
