"""``python -m bench.doubt``: how well the guard tells its own trouble from an upstream's.

Each trouble is caused many times on a real daemon beside a real nginx and two real apps. Counted
are the false results (an upstream that is well, or was only frozen together with us, is said to
fail), and the other way round the real failures that are not seen, or late. Needs root. Nothing
here passes or fails a build: docs/self-doubt.md says what was found.
"""
