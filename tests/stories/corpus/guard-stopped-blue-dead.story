The guard is stopped while blue dies

Thirty seconds of debugger, and in the middle of them blue really dies.

Timeline
  30s..60s    the guard is stopped
  45s..       blue: refused
  3m          end

Right answer
  switch blue->green, automatic, between 63s and 69s, right from 45s

Because a real failure is still seen, some seconds later, by fresh checks.
