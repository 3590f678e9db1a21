Recovery just before the decision

Blue refuses for 2.4 seconds. A switch needs three seconds of failing, so blue is back, and has
been seen back, when the decision would fall.

Timeline
  20s..22.4s  blue: refused
  2m          end

Right answer
  no switch
  no hold

Because an upstream whose latest check has passed must not be left: the next check, half a second
later, tells whether it is back. Waiting for it costs nothing.
