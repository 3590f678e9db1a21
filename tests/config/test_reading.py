"""What is read from good files, and files that cannot be read at all."""

import hashlib
import os
from pathlib import Path

import pytest

from healthguard.config import (
    Config,
    ConfigError,
    UnresolvedVariable,
    load,
    names_secret,
    parse,
    resolve_env,
)
from healthguard.core.model import Expect
from healthguard.probes.spec import ExecSpec, HttpSpec, TcpSpec

ROOT = Path(__file__).parents[2]

POOL = """
pools:
  app:
    link: /etc/nginx/up/app_active.conf
    upstreams:
      blue: {config: app_blue.conf, probes: [{http: "http://127.0.0.1:9009/healthz"}]}
      green:
        config: app_green.conf
        probes:
          - PROBE
"""


def one(text: str) -> Config:
    return parse(text, "test.yaml")


def spec_of(probe: str) -> object:
    config = one(POOL.replace("PROBE", probe))
    (spec,) = config.pools["app"].probes["green"].values()
    return spec


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        load(path)
    return str(refused.value)


def test_defaults_are_those_of_the_contract() -> None:
    config = one(POOL.replace("PROBE", "tcp: 127.0.0.1:9010"))
    assert str(config.nginx.binary) == "/usr/sbin/nginx"
    assert str(config.nginx.config) == "/etc/nginx/nginx.conf"
    assert (config.nginx.reload, config.switcher) == ("auto", "inline")
    assert (config.nginx.test_timeout_ms, config.nginx.confirm_timeout_ms) == (10_000, 5_000)
    daemon = config.daemon
    assert daemon.http == ("127.0.0.1", 9464)
    assert daemon.control_groups == ("healthguard",)
    assert str(daemon.event_log) == "/var/log/healthguard/events.jsonl"
    pool = config.pools["app"]
    assert (pool.jitter, pool.timeout_ms) == (0.05, 2_000)
    policy = pool.policy
    assert (policy.mode_bake, policy.mode_steady, policy.standby) == ("auto", "auto", "warm")
    assert policy == type(policy)(pool="app", upstreams=policy.upstreams)  # as the model's own
    assert pool.files.upstreams["green"] == Path("/etc/nginx/up/app_green.conf")
    assert pool.files.confirm_url is None
    assert policy.marker is False


def test_the_shipped_file_is_good() -> None:
    config = load(ROOT / "etc/healthguard/healthguard.yaml")
    assert config.pools["threader"].policy.mode_steady == "observe"
    assert config.pools["threader"].policy.marker
    data = (ROOT / "etc/healthguard/healthguard.yaml").read_bytes()
    assert config.digest == hashlib.sha256(data).hexdigest()


def test_every_predicate_of_an_http_probe() -> None:
    spec = spec_of(
        "{name: deep, http: 'https://[::1]:9443/h?x=1', method: POST, host: app.example,"
        " headers: {Authorization: 'Bearer ${TOKEN}'}, ca_file: /etc/ssl/ca.pem, timeout: 1s,"
        " expect: {status: [200, 300-399], body: {regex: ^ok$}, json: {a.b: 1, c: null, d: 'yes'},"
        " header: {X-Color: green}, max_latency: 800ms}}"
    )
    assert spec == HttpSpec(
        url="https://[::1]:9443/h?x=1",
        host="::1",
        port=9443,
        target="/h?x=1",
        tls=True,
        method="POST",
        host_header="app.example",
        headers=(("Authorization", "Bearer ${TOKEN}"),),
        body_regex="^ok$",
        json_fields=(("a.b", 1), ("c", None), ("d", "yes")),
        header_fields=(("X-Color", "green"),),
        ca_file="/etc/ssl/ca.pem",
        timeout_ms=1_000,
        expect=Expect(((200, 200), (300, 399)), 800_000),
    )


@pytest.mark.parametrize(
    ("url", "host", "port", "target", "unix"),
    [
        ("http://127.0.0.1", "127.0.0.1", 80, "/", None),
        ("https://App.Example:1/x", "app.example", 1, "/x", None),
        ("https://app.example?q", "app.example", 443, "/?q", None),
        ("http://unix:/run/app.sock:/healthz", "localhost", 0, "/healthz", "/run/app.sock"),
        ("http://unix:/run/app.sock", "localhost", 0, "/", "/run/app.sock"),
    ],
)
def test_urls(url: str, host: str, port: int, target: str, unix: str | None) -> None:
    spec = spec_of(f"http: '{url}'")
    assert isinstance(spec, HttpSpec)
    assert (spec.host, spec.port, spec.target, spec.unix_socket) == (host, port, target, unix)


def test_tcp_and_exec_probes() -> None:
    assert spec_of("tcp: '[::1]:80'") == TcpSpec("::1", 80, None, 2_000, Expect(()))
    assert spec_of("tcp: unix:/run/a.sock") == TcpSpec(
        "localhost", 0, "/run/a.sock", 2_000, Expect(())
    )
    assert spec_of("{exec: [/bin/true, -x], timeout: 5s, expect: {max_latency: 1s}}") == ExecSpec(
        ("/bin/true", "-x"), 5_000, Expect((), 1_000_000)
    )


def test_unnamed_probes_get_names_that_are_free() -> None:
    probes = "\n          - ".join(
        [
            "tcp: 127.0.0.1:9010",
            "http: http://127.0.0.1:9010/a",
            "{name: http-2, http: 'http://127.0.0.1:9010/b'}",
            "http: http://127.0.0.1:9010/c",
            "exec: [/bin/true]",
        ]
    )
    pool = one(POOL.replace("PROBE", probes)).pools["app"]
    assert list(pool.probes["green"]) == ["tcp", "http", "http-2", "http-3", "exec"]
    assert list(pool.policy.upstreams["green"].probes) == list(pool.probes["green"])


def test_defaults_merge_key_by_key_below_the_pool() -> None:
    text = """
defaults:
  mode: {bake: observe}
  health: {fall: 5, rise: 4, window: {fails: 6, of: 10}}
  rollback: {budget: {switches: 1}}
""" + POOL.replace("PROBE", "tcp: 127.0.0.1:9010")
    pool = one(text + "    health: {rise: 7}\n    rollback: {budget: {per: 1h}}\n").pools["app"]
    assert (pool.policy.health.fall, pool.policy.health.rise) == (5, 7)
    assert (pool.policy.health.window_fails, pool.policy.health.window_of) == (6, 10)
    assert pool.policy.rollback.budget_switches == 1
    assert pool.policy.rollback.budget_per_ms == 3_600_000
    assert (pool.policy.mode_bake, pool.policy.mode_steady) == ("observe", "auto")


def test_defaults_that_nobody_wrote_give_way() -> None:
    text = POOL.replace("PROBE", "tcp: 127.0.0.1:9010") + (
        "    health: {interval: 200ms, fall: 1}\n    rollback: {min_down: 1s}\n"
    )
    policy = one(text).pools["app"].policy
    assert policy.health.fast_interval_ms == 200
    assert (policy.bake.fall, policy.bake.min_down_ms) == (1, 1_000)


def test_plain_values_follow_yaml_1_2() -> None:
    spec = spec_of("{http: 'http://h:1/', expect: {json: {a: no, b: 1:30, c: 010, d: 1.5}}}")
    assert isinstance(spec, HttpSpec)
    assert spec.json_fields == (("a", "no"), ("b", "1:30"), ("c", 10), ("d", 1.5))


def test_anchors_work_for_whole_values() -> None:
    text = POOL.replace("PROBE", "{http: 'http://127.0.0.1:9010/', expect: *good}").replace(
        '[{http: "http://127.0.0.1:9009/healthz"}]',
        '[{http: "http://127.0.0.1:9009/", expect: &good {status: 204}}]',
    )
    probes = one(text).pools["app"].probes
    assert probes["blue"]["http"].expect == probes["green"]["http"].expect == Expect(((204, 204),))


def test_a_thousand_pools_fit() -> None:
    pools = "".join(
        f"  p{n}:\n    link: /n/p{n}_active.conf\n    upstreams:\n"
        f"      blue: {{config: p{n}_b.conf, probes: [{{tcp: 127.0.0.1:{20000 + n}}}]}}\n"
        f"      green: {{config: p{n}_g.conf, probes: [{{tcp: 127.0.0.1:{30000 + n}}}]}}\n"
        for n in range(1000)
    )
    assert len(one("pools:\n" + pools).pools) == 1000


# ------------------------------------------------------------ files


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    assert refusal(missing) == f"{missing}: cannot be read: No such file or directory"
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert refusal(fifo) == f"{fifo}: is not a regular file"
    assert refusal(tmp_path) == f"{tmp_path}: cannot be read: Is a directory"
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"pools:\n  caf\xe9: {}\n")
    assert refusal(latin) == f"{latin}:2: is not UTF-8 text"
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * ((1 << 20) + 1))
    assert refusal(large) == f"{large}: is larger than 1 MiB"
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"pools:\x00\n")
    assert "is not valid YAML: control characters are not allowed" in refusal(binary)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + POOL.replace("PROBE", "tcp: 127.0.0.1:1").encode())
    assert load(path).path == path


# ------------------------------------------------------------ secrets


def test_secrets_are_resolved_by_who_uses_them() -> None:
    assert resolve_env("Bearer ${A}-${B}", {"A": "x", "B": "${A}"}) == "Bearer x-${A}"
    assert resolve_env("$A $$", {}) == "$A $$"
    assert names_secret("Bearer ${A}")
    assert not names_secret("Bearer A")
    with pytest.raises(UnresolvedVariable, match="the environment variable A is not set"):
        resolve_env("${A}", {})
    with pytest.raises(UnresolvedVariable, match="control characters") as error:
        resolve_env("${A}", {"A": "geheim\r\nX: y"})
    assert "geheim" not in str(error.value)
