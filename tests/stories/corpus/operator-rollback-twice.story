Rollback, twice

Alice sees errors that no probe sees and rolls back. Bob does the same a minute later, not knowing.

Setup
  vouched: green, blue

Timeline
  30s         alice: rollback because "customers complain"
  90s         bob: rollback because "customers complain"
  3m          end

Right answer
  switch blue->green, manual, between 30s and 32s
  order 2 is refused: known_bad
  no other switch

Because `rollback` names no upstream: it must never go back onto what was just left.
