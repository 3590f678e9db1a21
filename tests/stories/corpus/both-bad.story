Both are bad, then the standby comes back

Blue and green refuse together: the machine under both is overloaded. After forty seconds green is
back.

Timeline
  20s..       blue: refused
  20s..60s    green: refused
  3m          end

Right answer
  hold standby_not_up between 23s and 27s
  event hold_entered gate=standby_not_up both_down=true between 23s and 27s
  switch blue->green, automatic, between 60s and 68s, right from 60s

Because as long as nothing is better nothing moves, and it is said that both are down. From the
moment green is proven well there is something better.
