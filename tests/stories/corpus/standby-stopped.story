The standby is shut down by design

To save memory the standby runs only during deploys.

Setup
  standby: stopped

Timeline
  0s..        green: refused
  20s..       blue: refused
  2m          end

Right answer
  no switch
  hold no_target between 23s and 27s

Because there is nothing to go to.
