A pause ends while blue is down

Alice pauses for two minutes to restart blue. It takes longer than she thought.

Timeline
  10s         alice: pause 2m because "restart of blue"
  60s..       blue: refused
  200s        alice: resume
  5m          end

Right answer
  hold paused between 63s and 67s
  proposal blue->green between 130s and 142s
  switch blue->green, automatic, between 200s and 207s, right from 200s
  no other switch

Because what broke in a pause was most likely meant. It asks, until blue was up once or Alice says
that the guard may go on.
