Seven requests of ten fail

Most of blue is dead; a few checks still pass.

Timeline
  20s..       blue: 503 7 of 10
  4m          end

Right answer
  switch blue->green, automatic, between 23s and 45s, right from 20s

Because three in a row do come, and one lucky check in between does not make blue well.
