Mode propose: rejected

Bob knows what it is and rejects. The failure lasts; he is not asked again.

Setup
  mode: propose

Timeline
  20s..200s   blue: 500
  60s         bob: reject because "planned work"
  6m          end

Right answer
  proposal blue->green between 23s and 26s
  order 1 is done
  proposal closed between 60s and 61s
  no switch

Because who said no to this failure is not to be nagged by the same.
