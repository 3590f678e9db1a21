Two failed checks in a row

A packet is lost and the retry falls into the same hiccup: two checks in a row time out.

Timeline
  20s         blue: 2 checks hang
  2m          end

Right answer
  no switch
  no hold
  blue is up at 40s

Because `fall` is three, and three are needed.
