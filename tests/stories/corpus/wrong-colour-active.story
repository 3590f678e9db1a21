Another application answers on blue's port

A script has started the wrong program on blue's port. It answers 200, but its colour header does
not say blue.

Timeline
  20s..       blue: header
  2m          end

Right answer
  switch blue->green, automatic, between 23s and 26s, right from 20s

Because whoever answers there is not blue.
