The guard is starved of CPU

A backup takes all the CPU for thirty seconds. Every answer comes late, because nobody was there to
read it.

Timeline
  20s..50s    the guard is starved
  3m          end

Right answer
  no switch
  hold self_unhealthy between 20s and 24s

Because late reading is no late answer.
