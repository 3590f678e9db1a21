The database dies, and only blue's health page asks it

Blue's newer health page asks the database, green's older one does not. The database is gone for
forty seconds. Green looks well and could not serve a single page either.

Setup
  dependency: database

Timeline
  20s..60s    database: refused
  20s..60s    blue: 503
  3m          end

Right answer
  no switch
  hold dependency_down between 23s and 27s

Because the cause is known and is shared: moving traffic cannot help.
