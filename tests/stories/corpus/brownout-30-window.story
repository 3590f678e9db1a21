Three requests of ten fail, with a failure window

Three of ten worker processes of blue have lost their database connection. The operator watches
for three failures in ten.

Setup
  window: 3 of 10

Timeline
  20s..       blue: 503 3 of 10
  4m          end

Right answer
  switch blue->green, automatic, between 24s and 45s, right from 20s

Because a third of all visitors see errors, it does not end, and green serves all of them.
