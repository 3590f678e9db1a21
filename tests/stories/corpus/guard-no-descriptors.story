Out of file descriptors

For half a minute the guard cannot open a connection.

Timeline
  20s..50s    the guard is out of descriptors
  3m          end

Right answer
  no switch
  blue is up at 70s

Because a check that could not be made says nothing about blue.
