The link is moved by hand, and the reload is forgotten

An admin types `ln -sfn` and goes home. Nginx goes on with blue. Then blue breaks.

Timeline
  20s         somebody moves the link to green
  60s..       blue: refused
  100s        alice: switch green because "finish it"
  4m          end

Right answer
  hold active_unknown between 20s and 23s
  event hold_entered gate=active_unknown wanted=true between 61s and 64s
  switch blue->green, manual, between 100s and 102s
  order 1 is done
  no other switch

Because link and workers disagree: the guard does not know what the admin wanted, and does not fight
him. An order for what the link names reloads and proves it. That blue fails
meanwhile is said again, and louder.
