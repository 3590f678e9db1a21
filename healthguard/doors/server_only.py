"""aiohttp's server without aiohttp's client, which this daemon never uses.

``import aiohttp`` loads the client in any case, and with it all certificates that this host
trusts, twice: 4 MB and half of the time. Its server needs nothing of that.
"""

import importlib
import importlib.util
import re
import sys
from pathlib import Path

_VERSION = re.compile(r'^__version__ = "([^"]+)"', re.MULTILINE)


def load() -> None:
    """Load ``aiohttp.web``, and nothing else of aiohttp where this version can do without.

    For a whole process that needs no client: ``aiohttp.ClientSession`` is not there afterwards.
    May run in a thread; nothing happens where aiohttp is loaded already.
    """
    spec = importlib.util.find_spec("aiohttp")
    if spec is None or spec.origin is None or "aiohttp" in sys.modules:
        return
    package = importlib.util.module_from_spec(spec)  # as it is before its own code has run
    found = _VERSION.search(Path(spec.origin).read_text())
    package.__dict__["__version__"] = found[1] if found else "unknown"
    sys.modules["aiohttp"] = package
    try:
        importlib.import_module("aiohttp.web")
    except (ImportError, AttributeError):  # this version's server needs more: then all of it
        for name in [each for each in sys.modules if each.partition(".")[0] == "aiohttp"]:
            del sys.modules[name]
