"""Everything that judges: pure, no clock, no I/O, standard library data types only."""
