The undo fails, too

Nginx neither takes the new configuration nor can it be put back. Nobody knows what it uses.

Timeline
  10s..       reloads are refused by nginx
  10s..       the undo fails
  20s..       blue: refused
  10m         end

Right answer
  switch lost blue->green, automatic, between 23s and 26s, right from 20s
  no other switch

Because where truth is lost nothing may be done before a person has looked.
