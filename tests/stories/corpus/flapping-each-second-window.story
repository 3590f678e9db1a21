Flapping each second, with a failure window

Blue refuses for a second, serves for a little more than one, and does not stop: a process that dies and is
started again. The operator has configured a failure window for this.

Setup
  window: 4 of 10
  bake.for: 1m

Timeline
  20s..       blue: refused for 1s every 2.3s
  4m          end

Right answer
  switch blue->green, automatic, between 22s and 90s, right from 20s
  active is green at 4m

Because four of ten visitors get an error, without end. One switch, and no way back by itself.
