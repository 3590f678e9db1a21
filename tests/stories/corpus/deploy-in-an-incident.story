A deploy in the middle of an incident

Both colours are down. Alice rolls out the repaired 1.6 on green; then she switches.

Setup
  releases: blue 1.5, green 1.4

Timeline
  20s..       blue: 500
  20s..60s    green: 500
  60s         green now runs 1.6
  90s         alice: switch green because "1.6 repairs it"
  10m         end

Right answer
  hold standby_not_up between 23s and 27s
  hold unproven between 60s and 72s
  switch blue->green, manual, between 90s and 92s
  event bake_passed upstream=green between 390s and 400s
  no other switch

Because automatic would be a bet on a release that never served. A person may, and did.
