"""`healthguard check`: what is wrong, or will be, before it matters."""

from healthguard.service.check.findings import Finding, as_json, exit_code, render
from healthguard.service.check.offline import check_offline
from healthguard.service.check.online import check_online
from healthguard.service.check.verb import run

__all__ = ["Finding", "as_json", "check_offline", "check_online", "exit_code", "render", "run"]
