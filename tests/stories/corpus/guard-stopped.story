The guard is stopped for thirty seconds

Somebody attaches a debugger to the guard. Blue and green are well all the time.

Timeline
  30s..60s    the guard is stopped
  3m          end

Right answer
  no switch
  hold self_unhealthy between 60s and 62s

Because all its deadlines were late at once: its own fault.
