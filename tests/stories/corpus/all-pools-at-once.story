All pools of the host fail at once

Two pools, four upstreams, and in one second all of them refuse: a firewall rule on this host.

Setup
  pools: shop, api

Timeline
  20s..80s    shop blue, shop green, api blue, api green: refused
  4m          end

Right answer
  shop: no switch
  api: no switch
  shop: active is blue at 4m

Because nothing is better than what is active, and so much bad luck in one second is this host's own.
