A migration makes the active slow, and the standby is cold

A schema migration makes blue too slow for its checks. Traffic moves to green, whose caches are cold:
under the load green gets too slow as well, while blue, without load, looks well again.

Modelled on GitHub, September 2012: the automation moved the database to a cold standby, and then back.

Setup
  vouched: green, blue
  max_latency: 800ms

Timeline
  20s..40s    blue: ok in 1500ms
  40s..       green: ok in 1500ms
  8m          end

Right answer
  switch blue->green, automatic, between 23s and 30s, right from 20s
  hold known_bad between 43s and 50s
  proposal green->blue between 83s and 91s
  no other switch

Because who looks well only while he has no load is no way back that a machine may choose. One switch,
then a person: asked as soon as nothing but the mark is in the way (the cooldown is over).
