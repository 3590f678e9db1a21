The DISABLE file

Before a risky weekend somebody creates the DISABLE file. Blue fails. The file is removed.

Timeline
  10s         the DISABLE file appears: "weekend"
  20s..       blue: refused
  60s         the DISABLE file goes
  3m          end

Right answer
  hold disabled between 23s and 26s
  switch blue->green, automatic, between 60s and 63s, right from 60s

Because the file is the brake that works without a program.
