Nginx itself is down

Nginx is stopped for an upgrade of the host, and meanwhile blue is restarted badly.

Timeline
  20s..60s    nginx is down
  30s..       blue: refused
  3m          end

Right answer
  hold nginx_down between 20s and 23s
  switch blue->green, automatic, between 60s and 66s, right from 60s

Because without nginx there is nothing to switch. With it, there is.
