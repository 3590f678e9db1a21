"""Telling people: one message at a time, in a process of its own that ends again."""
