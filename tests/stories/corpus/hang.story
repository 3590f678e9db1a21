Blue accepts and never answers

A deadlock: connections are accepted, no answer ever comes.

Timeline
  20s..       blue: hang
  2m          end

Right answer
  switch blue->green, automatic, between 25s and 31s, right from 20s

Because three checks in a row ran into their timeout of two seconds.
