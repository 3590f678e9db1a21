"""The record of what happened, and its replay. No decision needs it."""
