Flapping each second, without a failure window

The same as before, but the operator counts only failures in a row, and there are never three.

Timeline
  20s..       blue: refused for 1s every 2s
  4m          end

Right answer
  perhaps switch blue->green, automatic, between 22s and 4m, right from 20s

Because a switch is right, but with `fall: 3` alone it is chance whether it is seen. More than one
switch, or a way back, would be wrong in any case: after the first one blue is known bad.
