The wall clock jumps in a pause

Somebody pauses the pool for ten minutes of work on blue. Then the clock of the host is corrected by
two hours.

Timeline
  10s         alice: pause 10m because "work on blue"
  30s         the wall clock jumps by +2h
  60s..400s   blue: refused
  9m          end

Right answer
  no switch
  hold paused between 63s and 67s

Because a pause lasts as long as was said, by a clock that does not jump.
