Blue starts slowly after a boot of the host

The host boots. Green is up in twenty seconds, blue needs a minute and a half.

Setup
  the host boots at 0s
  vouched: nothing
  stable: green

Timeline
  0s..20s     green: refused
  0s..90s     blue: refused
  8m          end

Right answer
  no switch
  no event hold_entered

Because after a boot slowness is normal: five minutes of grace.
