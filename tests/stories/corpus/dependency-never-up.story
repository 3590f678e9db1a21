A dependency that was never up

The address of the dependency in the configuration is wrong; the probe has failed since the start.
Months later blue dies.

Setup
  dependency: database

Timeline
  -60s..      database: refused
  20s..       blue: refused
  2m          end

Right answer
  switch blue->green, automatic, between 23s and 26s, right from 20s

Because what was never up is a mistake in the configuration, not a cause.
