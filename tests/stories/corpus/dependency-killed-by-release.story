The new release kills the database

Alice deploys green. Twenty seconds later its runaway query has exhausted the database's connections;
green fails, and so does the database probe. Blue still answers.

Setup
  dependency: database

Timeline
  30s         alice: switch green because "release 1.5"
  50s..       database: refused
  52s..       green: 503
  4m          end

Right answer
  switch blue->green, manual, between 30s and 32s
  switch green->blue, automatic, between 54s and 57s, right from 52s

Because a dependency that first failed after this bake began may be the victim of the release. It
must not protect it.
