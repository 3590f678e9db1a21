Three requests of ten fail, without a failure window

The same brown-out; only failures in a row are counted.

Timeline
  20s..       blue: 503 3 of 10
  4m          end

Right answer
  no switch
  a switch blue->green would be right from 20s, but this policy cannot see it

Because three in a row never come. Nothing that was configured is true, so nothing is done: this is
what `window` is for, and we count it as missed.
