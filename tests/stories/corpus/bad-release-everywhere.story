A bad release rolled out to every pool at once

Alice deploys 1.5 to both pools within a second. Twenty seconds later both fail together. The old
release still stands by in both.

Setup
  pools: shop, api

Timeline
  20s         alice: shop: switch green because "release 1.5"
  20.5s       alice: api: switch green because "release 1.5"
  40s..       shop green, api green: 500
  6m          end

Right answer
  shop: switch blue->green, manual, between 20s and 22s
  api: switch blue->green, manual, between 20s and 22s
  shop: switch green->blue, automatic, between 42s and 46s, right from 40s
  api: switch green->blue, automatic, between 42s and 46s, right from 40s

Because everything fails at once, but the standbys pass: it is not this host.
