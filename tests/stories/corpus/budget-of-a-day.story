Four failovers a day

Every three hours one colour fails, somebody repairs it and clears the mark. The fifth failure of the
day finds the daily budget spent. An `ack` an hour later gives a new one, also of the day.

Setup
  vouched: green, blue
  health.interval: 30s
  health.down_interval: 30s
  looks every 10s

Timeline
  1h..70m     blue: 500
  80m         alice: clear blue
  4h..250m    green: 500
  260m        alice: clear green
  7h..430m    blue: 500
  440m        alice: clear blue
  10h..610m   green: 500
  620m        alice: clear green
  13h..       blue: 500
  14h         alice: ack because "seen"
  15h         end

Right answer
  switch blue->green, automatic, between 1h and 61m, right from 1h
  switch green->blue, automatic, between 4h and 241m, right from 4h
  switch blue->green, automatic, between 7h and 421m, right from 7h
  switch green->blue, automatic, between 10h and 601m, right from 10h
  latched between 13h and 781m
  switch blue->green, automatic, between 14h and 841m, right from 14h
  no other switch

Because each one alone was right, but a fifth in a day is something that a person should know.
