Three requests of ten are lost everywhere

The network between this host and both colours loses three connections of ten.

Modelled on the overloaded transit gateways at Slack, January 2021: packets were lost on the way to
everything, health checks blamed the instances, and healthy ones were taken out.

Setup
  window: 3 of 10

Timeline
  20s..200s   blue: hang 3 of 10
  20s..200s   green: hang 3 of 10
  6m          end

Right answer
  no switch
  active is blue at 6m

Because the other side of the same broken road is not better.
