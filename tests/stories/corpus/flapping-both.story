Both flap, out of step

Both colours crash and restart: each serves twenty seconds, then refuses for twenty, and when one
serves the other does not.

Setup
  vouched: green, blue

Timeline
  20s..       blue: refused for 20s every 40s
  40s..       green: refused for 20s every 40s
  70s         end

Right answer
  switch blue->green, automatic, between 23s and 26s, right from 20s
  hold known_bad between 43s and 50s
  no other switch

Because the second failure has another answer than the first: blue was left as bad twenty seconds
ago. Ping-pong is the classic harm of simple guards; whether blue is better now is for a person.
