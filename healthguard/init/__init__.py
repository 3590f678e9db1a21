"""`healthguard init`: a first configuration and colour files from the nginx that is there."""

from healthguard.init.verb import Wishes, run

__all__ = ["Wishes", "run"]
