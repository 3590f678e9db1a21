Mode propose: approved

Blue fails, and a person agrees.

Setup
  mode: propose

Timeline
  20s..       blue: 500
  60s         alice: approve
  5m          end

Right answer
  proposal blue->green between 23s and 26s
  order 1 is done
  switch blue->green between 60s and 62s
  proposal closed between 60s and 63s
  no other switch

Because a person said yes.
