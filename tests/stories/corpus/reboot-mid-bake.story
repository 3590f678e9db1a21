The host reboots in the middle of a bake

Alice deploys green; a minute later the host reboots. Green does not survive the boot; blue does.

Timeline
  20s         alice: switch green because "release 1.5"
  80s         the host reboots and is back after 40s
  120s..      green: 500
  10m         end

Right answer
  switch blue->green, manual, between 20s and 22s
  event hold_entered gate=starting wanted=true between 240s and 246s
  switch green->blue, automatic, between 420s and 427s, right from 120s

Because a boot gives five minutes of grace to whoever is slow to come; after that, the bake is still a
bake and blue is still the way back. After two minutes a person is told.
