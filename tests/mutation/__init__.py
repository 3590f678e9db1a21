"""Mutation testing of the core: see docs/testing.md."""
