"""The walk over a configuration finds what nginx itself reads."""

import time
from pathlib import Path

from healthguard.nginx import conf
from tests.support.nginx import NginxSandbox


def test_walk_finds_the_files_nginx_names(box: NginxSandbox) -> None:
    dump = box.nginx("-T", "-q").stdout
    told = {Path(name) for name in conf.included_files(dump)}
    found = conf.walk(box.config)
    assert set(found.files) == told
    assert conf.includes_link(found, box.link())


def test_walk_follows_quotes_comments_globs_and_foreign_blocks(tmp_path: Path) -> None:
    for name in ("plain.conf", "with space.conf", "a.x", "b.x", "after.conf", "secret.pem"):
        (tmp_path / name).touch()
    main = tmp_path / "nginx.conf"
    main.write_text(
        "# include commented.conf;\n"
        "include plain.conf; include 'with space.conf';\n"
        'log_format x "include not.conf; {";\n'
        "http { content_by_lua_block { if x then y = {1} end }\n"
        "include *.x; ssl_certificate secret.pem; ssl_certificate_key $variable;\n"
        'set $a "${b}"; map $c $d { ~^[a-z]\\{2\\} 1; }\n}\n'
        "include after.conf;\n"
    )
    found = conf.walk(main)
    names = [path.name for path in found.files]
    assert names == ["nginx.conf", "plain.conf", "with space.conf", "a.x", "b.x", "after.conf"]
    assert found.secrets == (tmp_path / "secret.pem",)


def test_walk_leaves_out_names_with_a_dot_and_links_of_pools(tmp_path: Path) -> None:
    (tmp_path / "app_blue.conf").touch()
    (tmp_path / ".app_active.conf.hg-1").touch()
    link = tmp_path / "app_active.conf"
    link.symlink_to("app_blue.conf")
    main = tmp_path / "nginx.conf"
    main.write_text("include *_active.conf;")
    assert conf.walk(main, [link]).files == (main,)
    assert conf.walk(main, [link], [tmp_path / "app_blue.conf"]).files[1:] == (
        tmp_path / "app_blue.conf",
    )


def test_pipes_and_loops_do_not_hang_the_walk(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    main = tmp_path / "nginx.conf"
    main.write_text("include pipe; include nginx.conf; include missing.conf;")
    found = conf.walk(main)
    assert set(found.unreadable) == {tmp_path / "pipe", tmp_path / "missing.conf"}


def test_names_of_upstreams_and_their_servers(tmp_path: Path) -> None:
    file = tmp_path / "blue.conf"
    file.write_text("upstream b { server 127.0.0.1:1 weight=2; server unix:/x; }\nupstream a {}\n")
    assert conf.upstream_names(file) == ("a", "b")
    assert conf.server_addresses(file) == ("127.0.0.1:1", "unix:/x")


def test_pid_directive_of_the_main_context_also_out_of_an_include(tmp_path: Path) -> None:
    main = tmp_path / "nginx.conf"
    main.write_text("http { pid /wrong; }\ninclude pid.conf;")
    (tmp_path / "pid.conf").write_text("pid /run/x.pid;")
    assert conf.pid_directive(main) == "/run/x.pid"
    main.write_text("events {}")
    assert conf.pid_directive(main) is None


def test_a_long_map_does_not_cost_its_length(tmp_path: Path) -> None:
    main = tmp_path / "nginx.conf"
    main.write_text("include big.conf;")
    (tmp_path / "big.conf").write_text("".join(f"k{i} v{i};\n" for i in range(60_000)))
    began = time.process_time()
    conf.walk(main)
    spent = time.process_time() - began
    began = time.process_time()
    list(conf.statements((tmp_path / "big.conf").read_text()))
    assert spent < (time.process_time() - began) / 3


def test_broken_text_never_raises() -> None:
    for text in ('"', "'a", "\\", "a {", "}}}", "include", "include;", "{;};", "upstream", "$" * 9):
        list(conf.statements(text))
