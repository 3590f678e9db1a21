The signal, twice

SIGUSR1 in the panic, and once more because nothing seemed to happen.

Setup
  vouched: green, blue

Timeline
  30s         signal: rollback
  40s         signal: rollback
  3m          end

Right answer
  switch blue->green, signal, between 30s and 32s
  no other switch
  active is green at 3m

Because a second signal must not flip back.
