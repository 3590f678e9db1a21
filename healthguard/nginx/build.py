"""What was built into the nginx binary: its default paths."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Build:
    """Defaults of ``nginx -V``; ``problem`` says why they could not be asked for."""

    prefix: Path = Path("/usr/share/nginx")
    config: Path = Path("/etc/nginx/nginx.conf")
    pid: Path = Path("/run/nginx.pid")
    problem: str = ""


def read_build(binary: Path, timeout: float = 5.0) -> Build:
    """Ask the binary; Debian's defaults and a problem if it cannot answer."""
    try:
        done = subprocess.run(
            [str(binary), "-V"], capture_output=True, text=True, timeout=timeout, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Build(problem=f"{binary} cannot be run: {error}")
    found = dict(re.findall(r"--(prefix|conf-path|pid-path)=(\S+)", done.stderr))
    if done.returncode != 0 or not found:
        return Build(
            problem=f"{binary} -V did not print nginx's build options (exit {done.returncode}): is "
            f"it nginx?"
        )
    prefix = Path(found.get("prefix", "/usr/local/nginx"))
    return Build(
        prefix,
        prefix / found.get("conf-path", "conf/nginx.conf"),
        prefix / found.get("pid-path", "logs/nginx.pid"),
    )
