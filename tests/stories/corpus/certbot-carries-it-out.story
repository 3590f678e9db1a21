Certbot's reload carries out a forgotten link

The forgotten link again, and green is broken. Twenty seconds later certbot has a new certificate and
reloads nginx: traffic jumps to green.

Timeline
  0s..        green: 500
  20s         somebody moves the link to green
  40s         somebody reloads nginx
  3m          end

Right answer
  hold active_unknown between 20s and 23s
  switch blue->green, external, between 40s and 43s
  event bake_started upstream=green between 40s and 43s
  switch green->blue, automatic, between 40s and 46s, right from 40s
  no other switch

Because what happened is adopted and called what it is, a switch by somebody else; and a broken
green on probation is left for blue, which is well.
