The rescuers are out of descriptors

Under a flood of traffic blue fails. The host of the guard is so busy that for a while it cannot open
connections itself, either.

Modelled on Slack, January 2021: the service that starts new servers ran into its own limit of open
files, and the dashboards were down as well.

Timeline
  20s..60s    the guard is out of descriptors
  30s..       blue: 503
  3m          end

Right answer
  switch blue->green, automatic, between 63s and 69s, right from 30s

Because first it must be able to look again; then what it sees counts.
