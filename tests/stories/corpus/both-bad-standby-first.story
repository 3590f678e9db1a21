The standby was broken long before

Green has been down since noon and nobody cared. In the evening blue goes down.

Timeline
  10s..       green: 500
  60s..       blue: refused
  3m          end

Right answer
  not ready at 50s: standby_not_up
  no switch
  hold standby_not_up between 63s and 67s

Because green is no better. That it was not ready was known, and told, before it was needed.
