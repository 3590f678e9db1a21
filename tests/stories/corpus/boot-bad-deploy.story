A bad release soon after a boot of the host

The host has booted, both colours came up within twenty seconds. Two minutes later Alice deploys 1.5
on green, and it breaks at the first visitor.

Setup
  the host boots at 0s
  vouched: nothing
  stable: blue

Timeline
  0s..20s     blue, green: refused
  120s        alice: switch green because "release 1.5"
  120.1s..    green: 500
  8m          end

Right answer
  switch blue->green, manual, between 120s and 122s
  switch green->blue, automatic, between 122s and 126s, right from 120s

Because the grace after a boot is for upstreams that have not come up yet. Green had: this is a bad
release, and the way back must not wait for the rest of five minutes.
