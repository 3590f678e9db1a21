"""What a process has loaded, as the interpreter itself reports it."""

IMPORTS = {"PYTHONPROFILEIMPORTTIME": "1"}  # for its environment: each import is a line on stderr
DOORS = {"aiohttp", "prometheus_client", "structlog"}
APPRISE = {"apprise", "jinja2", "markdown", "requests"}


def imported(stderr: str) -> set[str]:
    """Every module that a process with ``IMPORTS`` has loaded until now, but the one it runs."""
    lines = (line for line in stderr.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip() for line in lines}
