"""What every verb is given: where the daemon is, and how to talk to the person."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from healthguard.cli.output import Output, part, text
from healthguard.cli.remedies import remedy
from healthguard.control.client import FORBIDDEN, SILENT, ApiReply, Client, Lines, NoAnswer
from healthguard.core.codes import Code
from healthguard.views.received import received

T = TypeVar("T")
DEFAULT_CONFIG = Path("/etc/healthguard/healthguard.yaml")
DEFAULT_SOCKET = Path("/run/healthguard/control.sock")


@dataclass(slots=True)
class Context:
    """``config``, ``socket``: as given on the command line, None where not given."""

    output: Output
    config: Path | None = None
    socket: Path | None = None
    json: bool = False
    _note: str = ""

    def config_path(self) -> Path:
        """--config, else HEALTHGUARD_CONFIG, else the default."""
        return self.config or Path(os.environ.get("HEALTHGUARD_CONFIG") or DEFAULT_CONFIG)

    def client(self) -> Client:
        """For the daemon that --socket or the configuration names."""
        return Client(self.socket or self._configured_socket())

    def _configured_socket(self) -> Path:
        """The default when the configuration says nothing or cannot be read: never a failure."""
        path = self.config_path()
        try:
            return control_socket(path.read_text(encoding="utf-8-sig")) or DEFAULT_SOCKET
        except FileNotFoundError:
            if self.config or os.environ.get("HEALTHGUARD_CONFIG"):
                self._note = f"{path} does not exist, so the default socket was tried"
        except (OSError, ValueError) as error:
            self._note = f"{path} cannot be read, so the default socket was tried ({error})"
        return DEFAULT_SOCKET

    # ------------------------------------------------------------- when there is no good answer

    def no_answer(self, client: Client, trouble: NoAnswer) -> int:
        """Say that and why the daemon does not answer, and what to do. Exit code 3."""
        if trouble.kind == FORBIDDEN:
            said = [f"healthguard: no permission to connect to {client.path}: {trouble.message}"]
            said.append("  run this as root, or as a user with access to that folder")
        elif trouble.kind == SILENT:
            said = [f"healthguard: the daemon at {client.path} does not answer: {trouble.message}"]
            said.append("  see what it is doing: systemctl status healthguard")
        else:
            said = [f"healthguard: no daemon at {client.path}: {trouble.message}"]
            said.append("  start it: systemctl start healthguard (or: healthguard run)")
            said.append("  to switch without it: healthguard switch POOL UPSTREAM --standalone")
        if self._note:
            said.append(f"  note: {self._note}")
        self.output.error("\n".join(said))
        return Code.NO_ACCESS

    def refused(self, reply: ApiReply, pool: str = "", target: str = "") -> int:
        """Say what the daemon refused, and what to do. The exit code of the answer."""
        code = reply.body.get("exit_code")
        if not isinstance(code, int):
            misused = reply.status in (400, 404, 405)
            code = Code.USAGE if misused else Code.NO_ACCESS
        error = reply.body.get("error")
        gate, message = "", ""
        if isinstance(error, dict):
            gate, message = text(error.get("code")), text(error.get("message"))
        self.say_outcome(code, gate, message, pool, target, reply.body)
        return code

    def say_outcome(
        self,
        code: int,
        gate: str,
        message: str,
        pool: str = "",
        target: str = "",
        more: Mapping[str, object] | None = None,
    ) -> None:
        """An outcome other than success, on stderr. ``target``: where to; ``more``: its data."""
        problems = (more or {}).get("problems")
        if isinstance(problems, list) and problems:
            count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
            head = f"healthguard: {count}; nothing was changed"
            self.output.error("\n  ".join([head, *map(text, problems)]))
            return
        if code == Code.USAGE:
            said = f"healthguard: {message}"
        elif code == Code.UNDONE:
            said = f"undone: {message}"
        elif code == Code.LOST:
            said = f"LOST: {gate}: {message}\n  a person must look now: healthguard why {pool}"
        elif code == Code.NO_ACCESS:
            said = f"not permitted: {message}" if gate == "forbidden" else f"{gate}: {message}"
        else:
            said = f"refused: {gate}: {message}"
        help_line = remedy(gate, pool, target) if code == Code.REFUSED else ""
        if help_line:
            said += f"\n  what to do: {help_line}"
        self.output.error(said.rstrip())

    def document(self, kind: type[T], *parts: str) -> T | int:
        """A document of the daemon. With --json it is printed as it came, and 0 in its place."""
        reply = self.read(*parts)
        if isinstance(reply, int):
            return reply
        if not self.json:
            return self.understood(kind, reply)
        self.output.json(reply.body)
        return Code.OK

    def understood(self, kind: type[T], reply: ApiReply) -> T | int:
        """What an answer says. Exit code 3 in its place if it is not what we know."""
        try:
            return received(kind, reply.body)
        except ValueError as problem:
            self.output.error(
                f"healthguard: cannot read the daemon's answer: {problem}\n"
                "  it runs another version: restart it, or use --json"
            )
            return Code.NO_ACCESS

    def read(self, *parts: str) -> ApiReply | int:
        """A reading request. An exit code in place of the answer if that was not a good one."""
        client = self.client()
        reply = client.get(*parts)
        if isinstance(reply, NoAnswer):
            return self.no_answer(client, reply)
        return reply if reply.status == 200 else self.refused(reply, *parts[1:2])

    def stream(self, *parts: str, query: dict[str, str], follow: bool) -> Lines | int:
        """A stream of events. An exit code in its place if there is none."""
        client = self.client()
        lines = client.lines(*parts, query=query, follow=follow)
        if isinstance(lines, NoAnswer):
            return self.no_answer(client, lines)
        return lines if lines.refusal is None else self.refused(lines.refusal)


def control_socket(config: str) -> Path | None:
    """``daemon.control_socket`` of a configuration's text, None if it has none.

    Not by the strict reader: after a bad edit the daemon still runs with the configuration
    before, and a rollback, or the reload that names the mistake, must still reach it.
    """
    if "control_socket" not in config:
        return None  # most often; and reading YAML takes longer than all the rest
    import yaml

    try:
        found = part(yaml.safe_load(config), "daemon", "control_socket")
    except (yaml.YAMLError, ValueError, RecursionError):
        match = re.search(
            r"""^[^#\n]*\bcontrol_socket["']?\s*:\s*["']?(/[^\s"',}]+)""", config, re.MULTILINE
        )
        found = match.group(1) if match else None
    return Path(found) if isinstance(found, str) and found else None
