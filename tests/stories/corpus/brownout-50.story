Every second request fails, without a failure window

One of two worker processes of blue is dead; answers alternate, so that there are never two failures
in a row.

Timeline
  20s..       blue: 503 1 of 2
  4m          end

Right answer
  no switch
  a switch blue->green would be right from 20s, but this policy cannot see it

Because failures in a row cannot see what alternates; we count it as missed.
