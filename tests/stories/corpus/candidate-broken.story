A broken configuration of the standby

Somebody edits green's file and forgets a semicolon. Blue fails. A minute later the file is repaired.

Timeline
  10s..80s    the configuration of green is broken
  20s..       blue: refused
  3m          end

Right answer
  no switch before 80s
  hold config_invalid between 23s and 27s
  switch blue->green, automatic, between 80s and 90s, right from 80s

Because nginx would refuse it. With the repair it goes on.
