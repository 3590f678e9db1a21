Forty-three seconds without a network

The host of the guard loses its network for 43 seconds. Everything else goes on.

Modelled on GitHub, October 2018: 43 seconds of partition were enough for the automation on one side
to move the primary databases to the other coast, and a day to put that right.

Timeline
  20s..63s    the local network is down
  4m          end

Right answer
  no switch
  active is blue at 4m

Because who hears nothing from anybody should doubt his ears.
