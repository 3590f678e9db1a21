Two failovers are enough for ten minutes

Blue fails, green takes over; blue is repaired and cleared; green fails, blue takes over; and then blue
fails again. Alice looks, acknowledges, and lets the automatic go on.

Setup
  vouched: green, blue

Timeline
  20s..90s    blue: 500
  100s        alice: clear blue because "repaired"
  200s..260s  green: 500
  270s        alice: clear green because "repaired"
  330s..      blue: 500
  430s        alice: ack because "the cause is found"
  10m         end

Right answer
  switch blue->green, automatic, between 23s and 26s, right from 20s
  switch green->blue, automatic, between 203s and 206s, right from 200s
  latched between 333s and 337s
  hold latched between 333s and 337s
  switch blue->green, automatic, between 430s and 440s, right from 430s
  no other switch

Because the third automatic switch within ten minutes is a sign that switching does not help: a person
must look first.
