"""Notifications: what is worth telling, when to be quiet, and a queue that survives restarts."""
