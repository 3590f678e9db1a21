Nginx does not take the switch

The candidate passes its test, but nginx goes on with the old workers: a port of another site is
taken. It is put right after a minute and a half.

Timeline
  10s..110s   reloads are refused by nginx
  20s..       blue: refused
  5m          end

Right answer
  switch undone blue->green, automatic, between 23s and 26s, right from 20s
  switch undone blue->green, automatic, between 83s and 95s
  latched between 143s and 160s
  no other switch

Because two attempts were undone, and a third within ten minutes is a person's decision.
