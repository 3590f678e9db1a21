Half of the paths are dead

A network switch half works: every second connection to blue hangs, all others are fine. Green is
behind another switch.

Modelled on Cloudflare, November 2020: a switch that failed for some paths and not for others, so that
nobody agreed on who was down.

Setup
  window: 5 of 10

Timeline
  20s..       blue: hang 1 of 2
  5m          end

Right answer
  switch blue->green, automatic, between 30s and 60s, right from 20s

Because half of all visitors wait in vain, and green is behind a good switch.
