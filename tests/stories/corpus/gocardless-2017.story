The standby fails in the same minute, for another reason

Blue's disk controller dies. In the same second an unrelated helper of green crashes and needs fifteen
seconds to start again.

Modelled on GoCardless, October 2017: a disk array failed, in the same moment a process crashed on the
standby, and the cluster manager promoted nobody for two hours.

Timeline
  20s..       blue: reset
  20s..35s    green: refused
  3m          end

Right answer
  hold standby_not_up between 23s and 27s
  switch blue->green, automatic, between 35s and 44s, right from 35s

Because two failures together are no reason to give up: as soon as green is proven well, it serves.
