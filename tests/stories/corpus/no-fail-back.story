The old one comes back

Blue fails and green takes over. A minute later blue is well again, and stays so.

Setup
  vouched: green, blue

Timeline
  20s..80s    blue: 500
  10m         end

Right answer
  switch blue->green, automatic, between 23s and 26s, right from 20s
  no other switch
  active is green at 10m

Because green serves well; going back is a risk without a gain, and nobody knows why blue failed.
