Three blips in ten minutes

A flaky cable costs one check every three minutes. Nothing else is wrong.

Timeline
  1m          blue: one check reset
  4m          blue: one check reset
  7m          blue: one check reset
  10m         end

Right answer
  no switch
  no hold

Because failures far apart are not one failure. Who counts them up since the start of the program
moves traffic for three lost packets.
