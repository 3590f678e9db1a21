A flutter of six seconds

While it warms up, blue refuses for half a second, serves for half a second, and so on for six
seconds. Then it is well.

Timeline
  20s..26s    blue: refused for 500ms every 1s
  2m          end

Right answer
  no switch

Because it is over in six seconds, and at no time was blue gone for three seconds.
