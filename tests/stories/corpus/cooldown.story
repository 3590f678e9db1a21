The second failure within the cooldown

Green takes over from blue, and fails half a minute later. Blue has been cleared meanwhile and is well.

Setup
  vouched: green, blue

Timeline
  20s..30s    blue: 500
  45s         alice: clear blue because "only a restart"
  50s..       green: 500
  5m          end

Right answer
  switch blue->green, automatic, between 23s and 26s, right from 20s
  hold cooldown between 53s and 57s
  switch green->blue, automatic, between 83s and 87s, right from 83s
  no other switch

Because a minute between two automatic switches is what the operator wants; after it, it goes on.
