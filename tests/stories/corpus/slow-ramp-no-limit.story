Slowly slower, without a latency limit

The same leak, but nobody has said what is too slow, so only the timeout of two seconds is a limit.

Timeline
  20s..140s   blue: ok in 50ms..3s
  140s..      blue: ok in 3s
  4m          end

Right answer
  switch blue->green, automatic, between 103s and 110s, right from 99s

Because slow is not failing unless somebody said so; no answer within the timeout is.
