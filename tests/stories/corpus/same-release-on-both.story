The same release on both colours

Both run 1.5. Blue's disk dies. Green is a healthy copy of the same release.

Setup
  releases: blue 1.5, green 1.5

Timeline
  20s..       blue: 500
  3m          end

Right answer
  switch blue->green, automatic, between 23s and 26s, right from 20s
  no event release_marked upstream=green mark=bad
  active is green at 3m

Because what is marked is that release on that colour; green with 1.5 has proven itself.
