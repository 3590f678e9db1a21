Every second request fails, with a failure window

One of two worker processes of blue is dead.

Setup
  window: 5 of 10

Timeline
  20s..       blue: 503 1 of 2
  4m          end

Right answer
  switch blue->green, automatic, between 27s and 38s, right from 20s

Because half of all visitors see errors.
