"""``healthguard demo``: a bad release is rolled back, for real, in a sandbox that vanishes."""

from healthguard.demo.story import run

__all__ = ["run"]
