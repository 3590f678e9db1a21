Blue does not survive the suspend

The same, but blue really does not come back.

Timeline
  60s..600s   the host is suspended
  600s..      blue: refused
  15m         end

Right answer
  switch blue->green, automatic, between 603s and 610s, right from 600s

Because doubt ends, and then the failure is seen with fresh checks.
