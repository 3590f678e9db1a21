Mode propose: the standby dies before the approval

Blue fails, a proposal opens, and before Alice is at her desk green is down, too.

Setup
  mode: propose

Timeline
  20s..       blue: 500
  50s..       green: 500
  80s         alice: approve
  5m          end

Right answer
  proposal blue->green between 23s and 26s
  order 1 fails
  no switch

Because what was right an hour ago is judged again.
