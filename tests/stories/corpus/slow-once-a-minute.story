One slow answer a minute

Once a minute a report is built and one check takes 1.5 seconds; the limit is 800 ms.

Setup
  max_latency: 800ms

Timeline
  20s         blue: one check ok in 1500ms
  80s         blue: one check ok in 1500ms
  140s        blue: one check ok in 1500ms
  200s        blue: one check ok in 1500ms
  5m          end

Right answer
  no switch

Because one slow answer a minute is not an outage.
