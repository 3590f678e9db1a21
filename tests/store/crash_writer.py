"""Writes one document with the shipped write_atomic; killed at a system call by its parent."""

import sys
from pathlib import Path

from healthguard.machine.files import write_atomic

if __name__ == "__main__":
    write_atomic(Path(sys.argv[1]), sys.argv[2].encode() * int(sys.argv[3]))
