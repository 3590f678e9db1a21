"""Decisions of the core, read as dialogues."""
