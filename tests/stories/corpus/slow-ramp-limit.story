Slowly slower, with a latency limit

A leak makes blue slower by the second: from 50 ms to three seconds within two minutes. The
operator allows 800 ms.

Setup
  max_latency: 800ms

Timeline
  20s..140s   blue: ok in 50ms..3s
  140s..      blue: ok in 3s
  4m          end

Right answer
  switch blue->green, automatic, between 53s and 59s, right from 50s

Because at 50.5 s it crosses the limit that the operator gave, and it does not come back.
