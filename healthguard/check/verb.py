"""`healthguard check`: from the file to what is printed and the exit code."""

import asyncio
import json
import sys
from pathlib import Path

from healthguard.assembly import build_switcher
from healthguard.check.findings import CheckResult, as_json, exit_code, render
from healthguard.check.offline import check_offline
from healthguard.check.online import check_online
from healthguard.config import Config, ConfigError, load
from healthguard.core.codes import Code


def run(path: Path, offline: bool, want_json: bool) -> int:
    """Check the configuration in ``path``, and unless ``offline`` this host; print what was found.

    0: no errors (warnings may be there); 1: an error; 2: the configuration cannot be used.
    """
    try:
        config = load(path)
    except ConfigError as error:
        _refuse(error, want_json)
        return Code.USAGE
    findings = [CheckResult("ok", None, "configuration", f"{path} is valid")]
    findings += check_offline(config)
    if not offline:
        findings += asyncio.run(_online(config))
    text = json.dumps(as_json(findings), indent=2) if want_json else render(findings)
    print(text)
    return exit_code(findings)


async def _online(config: Config) -> list[CheckResult]:
    return await check_online(config, build_switcher(config))


def _refuse(error: ConfigError, want_json: bool) -> None:
    if want_json:
        problems = [
            {"file": each.file, "line": each.line, "path": each.path, "message": each.message}
            for each in error.problems
        ]
        print(json.dumps({"ok": False, "problems": problems}, indent=2))
    print(error, file=sys.stderr)
