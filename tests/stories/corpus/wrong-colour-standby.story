Blue answers on green's port

A mistake in a port number: what answers as the standby is a second blue. Then blue breaks.

Timeline
  0s..        green: header
  20s..       blue: 500
  2m          end

Right answer
  no switch
  hold standby_not_up between 23s and 27s

Because what stands there is not green, and nobody knows what it would do with traffic.
