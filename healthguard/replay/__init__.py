"""The record of what happened, and the past again. Nobody needs it to decide."""
