A restart that takes a minute

Blue is restarted where it is, its caches are cold, and its port refuses for a whole minute. The
standby is well.

Timeline
  20s..80s    blue: refused
  3m          end

Right answer
  switch blue->green, automatic, between 23s and 26s, right from 20s
  active is green at 3m

Because for a minute every visitor would see an error page, and green serves. Blue's return does
not bring traffic back by itself.
