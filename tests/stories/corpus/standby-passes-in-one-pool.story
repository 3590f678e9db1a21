All active ones fail at once, one standby passes

A shared machine under both blues dies. The green of the shop is elsewhere and well, the green of the
api is on the same machine.

Setup
  pools: shop, api

Timeline
  20s..       shop blue, api blue, api green: refused
  4m          end

Right answer
  shop: switch blue->green, automatic, between 23s and 27s, right from 20s
  api: no switch
  api: hold standby_not_up between 23s and 28s

Because one passing standby proves that this host's own eyes are fine.
