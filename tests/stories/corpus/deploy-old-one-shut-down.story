A deploy that shuts the old one down

After the switch to green the deploy script stops blue. Then green fails.

Timeline
  20s         deploy: switch green because "release 1.5"
  40s..       blue: refused
  100s..      green: 500
  4m          end

Right answer
  switch blue->green, deploy, between 20s and 22s
  no other switch
  not ready at 90s: standby_not_up
  hold standby_not_up between 101s and 106s

Because there is nothing behind blue's port. That no rollback was possible was said at 40 s.
