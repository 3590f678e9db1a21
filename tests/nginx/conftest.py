"""A running sandbox, and a switcher and an observer on it."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from healthguard.core.model import Done, PrepareFact
from healthguard.nginx.observe import NginxObserver
from healthguard.nginx.ports import Commit
from healthguard.nginx.settings import NginxSettings, PoolFiles
from healthguard.nginx.switch import InlineSwitcher
from tests.support.nginx import NginxSandbox

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root to change owners, mounts or users"
)


@dataclass
class Guard:
    """A switcher on a sandbox, and the words a test uses."""

    box: NginxSandbox
    marked: bool = False
    settings: dict[str, object] = field(default_factory=dict)
    options: dict[str, object] = field(default_factory=dict)
    state_dir: Path | None = None

    def __post_init__(self) -> None:
        root = self.box.root
        names = tuple(self.box.ports)
        self.pools: dict[str, PoolFiles] = {
            name: self.box.pool_files(name, marked=self.marked) for name in names
        }
        self.config: NginxSettings = self.box.settings(**self.settings)
        self.disable = root / "DISABLE"
        self.state = self.state_dir or root / "state"
        self.locks = root / "locks"
        self.switcher = self.another()
        self.observer = NginxObserver(self.config, self.pools)

    def another(self) -> InlineSwitcher:
        """A further switcher on the same nginx, as after a restart."""
        return InlineSwitcher(
            self.config,
            self.pools,
            self.state,
            disable_file=self.disable,
            lock_folder=self.locks,
            **self.options,  # type: ignore[arg-type]
        )

    async def prepare(self, to: str = "green", pool: str = "app") -> PrepareFact:
        return await self.switcher.prepare(pool, to)

    async def commit(
        self,
        fact: PrepareFact,
        origin: str | None = "blue",
        to: str = "green",
        pool: str = "app",
        **more: bool,
    ) -> Done:
        assert fact.ticket, fact
        return await self.switcher.commit(self.order(fact, origin, to, pool, **more))

    def order(
        self, fact: PrepareFact, origin: str | None, to: str, pool: str = "app", **more: bool
    ) -> Commit:
        values = {"undo_unclear": False, **more}
        return Commit("s1", pool, fact.ticket or "", origin, to, **values)

    async def switch(
        self, origin: str = "blue", to: str = "green", pool: str = "app", **more: bool
    ) -> Done:
        return await self.commit(await self.prepare(to, pool), origin, to, pool, **more)


MakeBox = Callable[..., NginxSandbox]


@pytest.fixture
def make_box(tmp_path: Path) -> Iterator[MakeBox]:
    """Makes started sandboxes; all are stopped afterwards."""
    made: list[NginxSandbox] = []

    def make(*, start: bool = True, **options: object) -> NginxSandbox:
        root = tmp_path / f"nginx{len(made)}"
        root.mkdir()
        box = NginxSandbox(root, **options)  # type: ignore[arg-type]
        made.append(box)
        if start:
            box.start()
        return box

    yield make
    for box in made:
        box.stop()


@pytest.fixture
def box(make_box: MakeBox) -> NginxSandbox:
    """A running nginx with one pool ``app``, on blue."""
    return make_box()


@pytest.fixture
def guard(box: NginxSandbox) -> Guard:
    """A switcher without marker."""
    return Guard(box)


@pytest.fixture(params=[False, True], ids=["generations", "marker"])
def either(request: pytest.FixtureRequest, box: NginxSandbox) -> Guard:
    """A switcher without and with marker."""
    return Guard(box, marked=request.param)


@pytest.fixture
def box_marked(box: NginxSandbox) -> Guard:
    """A switcher and observer with marker."""
    return Guard(box, marked=True)
