"""`healthguard check`: what is wrong, or will be, before it matters."""

from healthguard.check.findings import CheckResult, as_json, exit_code, render
from healthguard.check.offline import check_offline
from healthguard.check.online import check_online
from healthguard.check.verb import run

__all__ = ["CheckResult", "as_json", "check_offline", "check_online", "exit_code", "render", "run"]
