The wall clock jumps back while blue fails

The clock is set back by a day, just as blue begins to fail.

Timeline
  20s..       blue: refused
  21s         the wall clock jumps by -24h
  3m          end

Right answer
  switch blue->green, automatic, between 23s and 26s, right from 20s

Because durations do not come from the wall clock.
