"""``make bench``: healthguard beside HAProxy and plain nginx, on one machine, in one run.

Everything is a ratio of two things measured in the same run; absolute figures say little about
another machine. Nothing here passes or fails a build: the table says what was found.
"""
