"""The clocks of this host, and what tells one boot from another."""

import time
from pathlib import Path

from healthguard.core.model import Instant

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def now() -> Instant:
    """This moment: CLOCK_BOOTTIME for reckoning, wall time for people."""
    return Instant(
        time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000, time.time_ns() // 1_000_000
    )


def suspended_ms() -> int:
    """How long this host has slept since it booted: boot time minus monotonic time."""
    boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return (boot - time.clock_gettime_ns(time.CLOCK_MONOTONIC)) // 1_000_000


def boot_id() -> str:
    """Different after each boot; "" where the kernel does not tell."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
