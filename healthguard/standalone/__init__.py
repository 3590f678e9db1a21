"""A manual switch without the daemon."""
