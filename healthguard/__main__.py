"""``python -m healthguard`` is the same as the ``healthguard`` command."""

import sys

from healthguard.cli import main

if __name__ == "__main__":
    sys.exit(main())
