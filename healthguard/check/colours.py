"""Do the colour files of a pool fit together, and does nginx's configuration use them?

Reading only; whether nginx takes them is for ``nginx -t`` to say.
"""

import ipaddress
import os
import re
from collections.abc import Iterator
from pathlib import Path

from healthguard.check.findings import ERROR, OK, WARNING, CheckResult
from healthguard.nginx import conf
from healthguard.nginx.settings import NginxSettings, PoolFiles

_PASS = ("proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass")


def names_a_host(address: str) -> bool:
    """True if an nginx ``server`` address is a name that must be looked up."""
    if address.startswith("unix:"):
        return False
    host = re.sub(r":[0-9]+$", "", address).strip("[]")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host != "localhost"
    return False


def check_colours(nginx: NginxSettings, pool: PoolFiles) -> Iterator[CheckResult]:
    """Findings about one pool's colour files and where nginx includes them."""
    missing = [path for path in pool.upstreams.values() if conf.read_text(path) is None]
    for path in missing:
        yield CheckResult(
            ERROR, pool.pool, "colour_file", f"the colour file {path} cannot be read", "create it"
        )
    listing = conf.walk(nginx.config, [pool.link], pool.upstreams.values())
    yield from _included(nginx, pool, listing)
    if not missing:
        yield from _fit(pool)
        yield from _used(pool, listing)


def _included(
    nginx: NginxSettings, pool: PoolFiles, listing: conf.Listing
) -> Iterator[CheckResult]:
    if not conf.includes_link(listing, pool.link):
        yield CheckResult(
            ERROR,
            pool.pool,
            "link_not_included",
            f"nothing in {nginx.config} includes {pool.link}, so a switch would have no effect",
            f"add to the http block: include {pool.link};",
        )
    colours = {os.path.normpath(path): name for name, path in pool.upstreams.items()}
    for pattern, found in listing.patterns:
        both = [colours[path] for path in map(os.path.normpath, found) if path in colours]
        if both:
            yield CheckResult(
                ERROR,
                pool.pool,
                "colour_included",
                f"include {pattern} also loads the file of {' and '.join(both)} directly, past the "
                f"link",
                f"include only the link: include {pool.link};",
            )


def _fit(pool: PoolFiles) -> Iterator[CheckResult]:
    """Every file must define the same names, and say something else about them."""
    names = {name: conf.upstream_names(path) for name, path in pool.upstreams.items()}
    if len(set(names.values())) > 1:
        each = "; ".join(f"{name} defines {_listed(found)}" for name, found in names.items())
        yield CheckResult(
            ERROR,
            pool.pool,
            "upstream_names",
            f"the colour files define different upstream names ({each}). After a switch nginx "
            f"would refuse its configuration or look the name up in DNS",
            f"use one upstream name in all colour files, such as {pool.pool}",
        )
    said: dict[tuple[tuple[str, ...], ...], str] = {}
    for name, path in pool.upstreams.items():
        words = tuple(each.words for each in conf.statements(conf.read_text(path) or ""))
        twin = said.setdefault(words, name)
        if twin != name:
            yield CheckResult(
                ERROR,
                pool.pool,
                "same_content",
                f"the colour files of {twin} and {name} have the same content, so a switch would "
                f"have no effect",
                f"correct {path}",
            )


def _used(pool: PoolFiles, listing: conf.Listing) -> Iterator[CheckResult]:
    names = set().union(*(conf.upstream_names(path) for path in pool.upstreams.values()))
    if not names:
        return  # a file that sets something else, for example a variable: nothing to compare
    passes = [each for path in listing.files for each in _passes(path)]
    used = {re.split(r"[/:]", re.sub(r"^[a-z]+://", "", target))[0] for target in passes}
    if names & used:
        message = f"nginx sends traffic to upstream {_listed(tuple(sorted(names & used)))}"
        yield CheckResult(OK, pool.pool, "upstream_used", message)
    elif any("$" in target for target in passes):
        message = (
            f"cannot tell whether nginx uses upstream {_listed(tuple(sorted(names)))}: proxy_pass "
            f"has a variable"
        )
        yield CheckResult(
            WARNING,
            pool.pool,
            "upstream_used",
            message,
            "make sure the variable can have that value",
        )
    else:
        others = f" (it uses {_listed(tuple(sorted(used)))})" if used else ""
        yield CheckResult(
            ERROR,
            pool.pool,
            "upstream_used",
            f"nginx sends no traffic to upstream {_listed(tuple(sorted(names)))}{others}, so a "
            f"switch would have no effect",
            f"write into the site: proxy_pass http://{min(names)};",
        )


def _passes(path: Path) -> Iterator[str]:
    text = conf.read_text(path) or ""
    if "_pass" in text:
        for each in conf.statements(text):
            if each.name in _PASS and len(each.words) > 1:
                yield each.words[1]


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"
