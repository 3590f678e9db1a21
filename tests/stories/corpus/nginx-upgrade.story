A binary upgrade of nginx is under way

Old and new nginx run side by side for a while; a reload would reach only one of them. Blue fails in
that time.

Timeline
  20s..60s    nginx is being upgraded
  30s..       blue: refused
  3m          end

Right answer
  hold nginx_upgrading between 20s and 23s
  switch blue->green, automatic, between 60s and 66s, right from 60s

Because half a switch is worse than none.
