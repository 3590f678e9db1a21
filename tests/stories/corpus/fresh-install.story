Nothing is vouched for

A fresh installation: nobody has said which upstream is a good place to go. Blue fails.

Setup
  vouched: nothing

Timeline
  20s..       blue: refused
  2m          end

Right answer
  not ready at 10s: no_target
  no switch
  hold no_target between 23s and 27s

Because a 200 from a standby that was never in use proves little. The remedy is said from the first
minute.
