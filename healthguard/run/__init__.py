"""Carries out the commands of the core for one pool, and what pools share."""
