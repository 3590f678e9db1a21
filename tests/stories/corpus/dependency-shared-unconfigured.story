The database dies, and nobody has told healthguard of it

Both colours need the same database, and both health pages ask it. It is gone for a minute.

Timeline
  20s..80s    blue: 503
  20s..80s    green: 503
  4m          end

Right answer
  no switch
  hold standby_not_up between 23s and 27s
  hold standby_not_up over between 80s and 92s

Because green is as helpless as blue.
