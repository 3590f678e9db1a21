A crash loop of the guard must not buy attempts

Blue is down, green is well, and nginx refuses each reload (a port of another site is taken), so that
each switch is undone. The guard itself crashes every twenty seconds and is started again.

Timeline
  20s..       blue: refused
  10s..       reloads are refused by nginx
  35s         the daemon is killed and is back after 1s
  55s         the daemon is killed and is back after 1s
  75s         the daemon is killed and is back after 1s
  115s        the daemon is killed and is back after 1s
  135s        the daemon is killed and is back after 1s
  155s        the daemon is killed and is back after 1s
  175s        the daemon is killed and is back after 1s
  5m          end

Right answer
  switch undone blue->green, automatic, between 23s and 26s, right from 20s
  switch undone blue->green, automatic, between 83s and 100s
  latched between 143s and 170s
  no other switch

Because cooldown, budget and latch survive restarts: two attempts, then a person.
