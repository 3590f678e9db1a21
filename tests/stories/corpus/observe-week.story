Mode observe says what it would have done

The first week: only watching. Blue fails three times; each time it would have been a switch, until
its budget would have been spent.

Setup
  mode: observe

Timeline
  20s..60s    blue: 500
  200s..240s  blue: 500
  400s..440s  blue: 500
  9m          end

Right answer
  would switch blue->green between 23s and 26s
  would switch blue->green between 203s and 206s
  no switch
  event latched between 403s and 407s

Because it must neither act nor exaggerate.
