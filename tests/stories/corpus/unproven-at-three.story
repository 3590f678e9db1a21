An untested release parked on the standby

In the evening 1.6 was installed on green, to be tried tomorrow. At three in the morning blue fails.
Green answers its checks.

Setup
  releases: blue 1.5, green 1.4

Timeline
  30s         green now runs 1.6
  200s..      blue: 500
  6m          end

Right answer
  not ready at 190s: unproven
  no switch
  hold unproven between 203s and 207s

Because an untested release never gets traffic at three in the morning. That it was no way back was
said in the evening.
