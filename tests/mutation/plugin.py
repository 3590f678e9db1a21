"""A pytest plugin: tests are collected once, then one fork tries each of mutmut's mutants.

mutmut itself starts pytest anew for each mutant, which costs more than the tests. Its mutants and
its record of which test runs which function are used as they are. Environment: MUTANTS, a file of
names; OUT, a file that gets a line for each: killed, survived, no-tests or timeout, name, number
of tests, the test that killed it. Names that are in OUT already are passed over.
"""

import json
import os
import resource
from collections.abc import Sequence
from pathlib import Path

import pytest
from mutmut.mutation.trampoline import set_mutant_under_test

LIMIT_S = 120  # processor time for one mutant: some loop forever
WORDS = {0: "survived", 1: "killed"}


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Instead of running the tests once: once for each mutant, until one fails."""
    out = Path(os.environ["OUT"])
    done = {line.split()[1] for line in out.read_text().splitlines()} if out.exists() else set()
    stats = json.loads(Path("mutmut-stats.json").read_text())
    took = stats["duration_by_test"]
    items = {item.nodeid: item for item in session.items}
    unknown = [item for name, item in items.items() if name not in took]  # written since: first
    assert not _attempt("", list(items.values())[:50])[1], "the tests fail without any mutant"
    for mutant in Path(os.environ["MUTANTS"]).read_text().split():
        if mutant in done:
            continue
        function = mutant.rpartition("__mutmut_")[0]
        known = stats["tests_by_mangled_function_name"].get(function, [])
        chosen = sorted((name for name in known if name in items), key=took.__getitem__)
        tests = unknown + [items[name] for name in chosen]
        word, killer = _attempt(mutant, tests) if tests else ("no-tests", "")
        with out.open("a") as lines:
            lines.write(f"{word} {mutant} {len(tests)} {killer}\n")
    return True


def _attempt(mutant: str, tests: Sequence[pytest.Item]) -> tuple[str, str]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _silence()
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_S, LIMIT_S + 1))
        set_mutant_under_test(mutant)
        killer = _first_failure(tests)
        os.write(writing, killer.encode())
        os._exit(bool(killer))
    os.close(writing)
    with os.fdopen(reading) as pipe:
        killer = pipe.read()
    _, status = os.waitpid(pid, 0)
    return WORDS.get(os.waitstatus_to_exitcode(status), "timeout"), killer


def _silence() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


class _Failures:
    def __init__(self) -> None:
        self.name = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.name = self.name or report.nodeid


def _first_failure(tests: Sequence[pytest.Item]) -> str:
    failures = _Failures()
    tests[0].config.pluginmanager.register(failures)
    for item, following in zip(tests, [*tests[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if failures.name:
            break
    return failures.name
