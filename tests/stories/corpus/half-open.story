Half open: the port is there, the application is not

The process of blue is stopped (SIGSTOP). The kernel goes on accepting connections on its port, so
that a check of the port alone is content.

Setup
  probes: port, health

Timeline
  20s..       blue/health: hang
  2m          end

Right answer
  switch blue->green, automatic, between 25s and 31s, right from 20s

Because all probes are required, and the one that asks the application fails.
