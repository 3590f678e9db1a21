"""The ten laws, as an exhaustive search and as a random walk over the real step()."""
