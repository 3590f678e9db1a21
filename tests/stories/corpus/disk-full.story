The disk is full when it is needed

Logs have filled the disk. Blue fails because of it.

Timeline
  10s..       the disk is full
  20s..       blue: 500
  3m          end

Right answer
  switch blue->green, automatic, between 23s and 26s, right from 20s
  event switch_completed durable=false between 23s and 27s

Because what cannot be written must not stop what must be done; it is said.
