The resolver is dead

The probes name the upstreams by name, and the resolver of this host is silent for a minute.

Modelled on AWS us-east-1, December 2021: the congestion that broke services also broke the name
service and the monitoring that was meant to see it.

Timeline
  20s..80s    the resolver is dead
  4m          end

Right answer
  no switch
  blue is up at 100s

Because not knowing an address is no failure of who lives there.
