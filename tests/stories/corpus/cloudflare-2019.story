A bad rule burns the CPU everywhere

A new filter rule, pushed to every pool and both colours at once, takes all the CPU. Seconds later
everything is 502, until the rule is withdrawn.

Modelled on Cloudflare, July 2019: one regular expression, everywhere at once.

Setup
  pools: shop, api

Timeline
  20s..22s    shop blue, shop green, api blue, api green: ok in 1500ms
  22s..320s   shop blue, shop green, api blue, api green: 502
  10m         end

Right answer
  shop: no switch
  api: no switch

Because the standby has swallowed the same rule.
