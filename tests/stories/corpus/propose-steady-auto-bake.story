Automatic in the bake, a question in steady state

The operator trusts automatic rollbacks of fresh releases, but wants to be asked otherwise.

Setup
  mode: propose
  mode.bake: auto

Timeline
  20s         alice: switch green because "release 1.5"
  40s..100s   green: 500
  300s..      blue: 500
  7m          end

Right answer
  switch blue->green, manual, between 20s and 22s
  switch green->blue, automatic, between 42s and 45s, right from 40s
  hold known_bad between 303s and 307s
  proposal blue->green between 303s and 307s
  no other switch

Because mode is per phase; and green was left as bad, which is said, but a question is allowed.
