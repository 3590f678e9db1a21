An order onto a dead upstream is refused, and then forced

Green is down. Alice orders it by mistake and is refused. Bob forces it: he knows that it will be up
soon. It is not; a proposal tells him the way back.

Timeline
  10s..       green: refused
  30s         alice: switch green because "wrong window"
  60s         bob: switch green --force because "it is starting"
  100s        bob: approve
  4m          end

Right answer
  order 1 is refused: standby_not_up
  order 2 is done
  switch blue->green, manual, between 60s and 62s
  proposal green->blue between 60s and 67s
  order 3 is done
  switch green->blue between 100s and 103s
  no other switch

Because who forces means it: nothing acts on its own against that, but it is said how to go back.
