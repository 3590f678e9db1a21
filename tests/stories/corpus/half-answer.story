Half an answer

Blue sends its header and dies in the middle of each body.

Timeline
  20s..       blue: eof
  2m          end

Right answer
  switch blue->green, automatic, between 23s and 26s, right from 20s

Because a torn answer is a failure, whatever its status line says.
