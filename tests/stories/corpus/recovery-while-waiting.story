Recovery while the switch waits for its turn

Blue is down and the switch is decided, but the other pool of this host holds nginx for five seconds
with a switch of its own. Meanwhile blue comes back.

Setup
  pools: shop, api
  commits take 8s

Timeline
  22s         alice: api: switch green because "deploy 1.5"
  20s..27s    shop blue: refused
  2m          end

Right answer
  api: switch blue->green, manual, between 22s and 23s
  shop: no switch
  shop: active is blue at 2m

Because an automatic switch judges again when its turn comes, and a recovery meanwhile withdraws it.
