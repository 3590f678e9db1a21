The same slowness outside a bake

Blue has served for weeks and answers in half a second since a moment ago. Only bakes have a limit.

Setup
  bake.max_latency: 300ms

Timeline
  32s..       blue: ok in 500ms
  3m          end

Right answer
  no switch

Because nobody has asked for that limit here.
