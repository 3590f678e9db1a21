A dependency hiccups while blue really dies

The database misses a single check, ten seconds before blue dies.

Setup
  dependency: database

Timeline
  10s         database: one check timeout
  20s..       blue: refused
  2m          end

Right answer
  switch blue->green, automatic, between 23s and 26s, right from 20s

Because the database is well.
