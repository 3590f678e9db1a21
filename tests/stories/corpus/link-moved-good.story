The link is moved by somebody else, properly

An old script moves the link to green and reloads nginx. Green is well.

Timeline
  20s         somebody moves the link to green and reloads nginx
  8m          end

Right answer
  switch blue->green, external, between 20s and 23s
  event bake_passed upstream=green between 320s and 335s
  no other switch

Because a link that somebody else has moved is adopted, never fought.
