"""The rule files as data, and the names that their expressions use."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from healthguard.telemetry.metrics import FAMILIES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "etc" / "prometheus"
FILES = [FOLDER / "healthguard.rules.yml", FOLDER / "healthguard.alerts.yml"]
# Given by Prometheus to every sample that it scrapes.
_TARGET = {"job", "instance"}


def promtool(*words: str, text: bytes = b"") -> str:
    """Its output; AssertionError when it finds a fault."""
    assert shutil.which("promtool"), "no promtool here: scripts/setup dev installs prometheus"
    ran = subprocess.run(["promtool", *words], input=text, capture_output=True, check=False)
    said = (ran.stdout + ran.stderr).decode()
    assert ran.returncode == 0, said
    return said


def rules() -> Iterator[dict[str, Any]]:
    """Every rule of both files."""
    for file in FILES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            yield from group["rules"]


def exported() -> dict[str, set[str]]:
    """Every metric the daemon exports or the rules record, with its labels."""
    found: dict[str, set[str]] = {}
    for family in FAMILIES:
        labels = set(family.labels)
        names = {family.name: labels}
        if family.kind == "histogram":
            names = {f"{family.name}_{end}": labels for end in ("sum", "count")}
            names[f"{family.name}_bucket"] = {*labels, "le"}
        found.update(names)
    for rule in rules():
        if "record" in rule:
            found[rule["record"]] = _recorded(rule["expr"], found)
    found.setdefault("up", set())
    found.update({f"process_{name}": set() for name in _PROCESS})
    return found


_PROCESS = ("cpu_seconds_total", "resident_memory_bytes", "open_fds", "start_time_seconds")


def _recorded(expression: str, known: dict[str, set[str]]) -> set[str]:
    by = re.match(r"\s*(?:\w+\(.*?,\s*)?(?:sum|max) by \(([^)]*)\)", expression)
    if by is not None:
        return set(re.split(r",\s*", by[1])) - _TARGET - {"le"}
    first = re.search(r"healthguard_\w+", expression)
    assert first is not None, expression
    return known[first[0]]


def faults(expression: str) -> list[str]:
    """Metrics that nobody exports, and labels that they do not have."""
    known, found = exported(), []
    for name, matchers in re.findall(
        r"((?:healthguard|process)[_:][\w:]+)(?:\{([^}]*)\})?", expression
    ):
        if name not in known:
            found.append(f"no metric {name}")
            continue
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers):
            if label not in known[name] | _TARGET:
                found.append(f"{name} has no label {label}")
    every = set().union(*known.values()) | _TARGET
    for group in re.findall(r"\b(?:by|on|without|ignoring|group_left)\s*\(([^)]*)\)", expression):
        found += [f"no label {each}" for each in re.findall(r"\w+", group) if each not in every]
    return found
