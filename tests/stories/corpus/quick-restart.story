A restart in place, two seconds long

Blue is restarted where it is. For two seconds its port refuses connections.

Timeline
  20s..22s    blue: refused
  2m          end

Right answer
  no switch
  no hold
  blue is up at 35s

Because a quick restart is not an incident (`min_down` is three seconds). When those are over it
must be known that blue *still* fails, not only that it did a while ago.
