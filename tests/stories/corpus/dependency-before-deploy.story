A deploy while the database is already down

The database is down. Alice deploys green by hand, because she believes that a new release will
help. Green fails as well, for the same reason.

Setup
  dependency: database

Timeline
  20s..       database: refused
  40s         alice: switch green because "maybe 1.5 helps"
  50s..       green: 503
  120s        end

Right answer
  switch blue->green, manual, between 40s and 42s
  no other switch
  hold dependency_down between 51s and 56s

Because the dependency failed before this bake began: the release cannot be the cause, the veto
stands. (Blue, whose page does not ask the database, looks well.)
