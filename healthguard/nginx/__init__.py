"""nginx: its master, its links, tests of its configuration, and the switch."""
