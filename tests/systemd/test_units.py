"""What the units promise: least privilege, measured and tried out."""

import json
import re

import pytest

from healthguard.switcher.wire import PrepareRequest, encode_request
from tests.systemd.host import CONFIG, POOL, Host

UNITS = (
    *("healthguard.service", "healthguard-switcher.service", "healthguard-switcher.socket"),
    "healthguard-reconcile.service",
)


@pytest.mark.parametrize(
    ("unit", "most"),
    [
        ("healthguard.service", 1.5),
        ("healthguard-switcher.service", 3.0),
        ("healthguard-reconcile.service", 3.0),
    ],
)
def test_exposure(installed: Host, unit: str, most: float) -> None:
    said = installed.m.out("systemd-analyze", "security", unit, "--no-pager", code=None)
    found = re.search(r"Overall exposure level for \S+ ([0-9.]+)", said)
    assert found, said
    print(unit, found[1])
    assert float(found[1]) <= most, said


def test_verify_has_nothing_to_say(installed: Host) -> None:
    # No manual pages in this machine: --man=no.
    done = installed.m.run("systemd-analyze", "verify", "--man=no", *UNITS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# ------------------------------------------------------------ inside the sandboxes

# Tries what a caught process would try, and prints what it was told.
_BURGLAR = r"""
import ctypes, errno, json, os, socket, time
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
def say(code):
    failed = code in (-1, ctypes.c_void_p(-1).value)
    return errno.errorcode[ctypes.get_errno()] if failed else "done"
def trial(work):
    try:
        work()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
def write(path):
    return trial(lambda: os.close(os.open(path, os.O_WRONLY | os.O_CREAT)))
own = os.environ["STATE_DIRECTORY"] + "/burglar"
def connect():
    socket.socket(socket.AF_UNIX).connect("/run/healthguard-switcher.sock")
print(json.dumps({
    "uid": os.getuid(),
    "capabilities": next(l.split()[1] for l in open("/proc/self/status") if l.startswith("CapEff")),
    "write /etc/nginx": write("/etc/nginx/upstreams/burglar.conf"),
    "write /etc": write("/etc/burglar"),
    "write /usr": write("/usr/bin/burglar"),
    "write other state": write(os.environ["OTHERS"] + "/burglar"),
    "write own state": write(own),
    "read a key": trial(lambda: open("/etc/ssl/private/site.key").read()),
    "read /root": trial(lambda: os.listdir("/root")),
    "write /home": write("/home/burglar"),
    "signal nginx": trial(lambda: os.kill(int(open("/run/nginx.pid").read()), 0)),
    "raw socket": trial(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()),
    "netlink": trial(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()),
    "new user namespace": say(libc.unshare(0x10000000)),
    "new mount namespace": say(libc.unshare(0x00020000)),
    "writable code": say(libc.mmap(None, 4096, 7, 0x22, -1, 0)),
    "set the clock": trial(lambda: time.clock_settime(time.CLOCK_REALTIME, time.time())),
    "become root": trial(lambda: os.setresuid(0, 0, 0)),
    "load a module": say(libc.syscall(175, None, 0, b"")),
    "devices": sorted(set(os.listdir("/dev")) & {"mem", "kmem", "sda", "vda", "port", "kmsg"}),
    "kernel tunables": write("/proc/sys/kernel/hostname"),
    "switcher socket": trial(connect),
    "set-uid file": trial(lambda: os.chmod(own, 0o4755)),
}))
"""


def burgle(host: Host, unit: str, others: str) -> dict[str, object]:
    """What a process with the sandbox of ``unit`` can do; the lines are the unit's own."""
    text = host.m.sh(f"cat /lib/systemd/system/{unit}")
    kept = [
        line
        for line in text.splitlines()
        if not re.match(r"(Exec|Type=|Restart|Watchdog|Notify|Condition|After=|Req|Runtime)", line)
    ]
    command = (
        f"Environment=OTHERS={others}\nExecStart=/usr/bin/python3 /srv/burglar.py\nType=oneshot"
    )
    body = "\n".join(kept).replace("[Service]", f"[Service]\n{command}")
    host.m.write("/srv/burglar.py", _BURGLAR)
    host.m.sh("mkdir -p /etc/ssl/private; umask 077; echo key >/etc/ssl/private/site.key")
    host.m.write("/etc/systemd/system/burglar.service", body)
    since = host.cursor()
    host.m.sh("systemctl daemon-reload; systemctl start burglar")
    found = host.journal(since, _SYSTEMD_UNIT="burglar.service")
    host.m.sh(
        "rm -f /etc/systemd/system/burglar.service /etc/nginx/upstreams/burglar.conf"
        " /var/lib/healthguard*/burglar; systemctl daemon-reload"
    )
    return dict(json.loads(next(e["MESSAGE"] for e in found if e["MESSAGE"].startswith("{"))))


def test_the_guard_can_do_nothing_but_look(host: Host) -> None:
    found = burgle(host, "healthguard.service", "/var/lib/healthguard-switcher")
    allowed = {key for key, value in found.items() if value == "done"}
    assert allowed == {"write own state", "switcher socket"}, found
    assert found["uid"] != 0
    assert found["capabilities"] == "0000000000000000"
    assert found["devices"] == []


def test_the_switcher_can_do_what_a_switch_needs_and_little_else(host: Host) -> None:
    found = burgle(host, "healthguard-switcher.service", "/var/lib/healthguard")
    allowed = {key for key, value in found.items() if value == "done"}
    assert allowed == {
        *("write own state", "write /etc/nginx", "read a key", "read /root", "signal nginx"),
        *("new mount namespace", "writable code", "switcher socket", "become root"),
    }, found
    assert found["devices"] == []


# ------------------------------------------------------------ who may come in

_ASK = (
    "import socket,sys; s=socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(sys.argv[1]);"
    "s.sendall(sys.argv[2].encode()); print(s.recv(65536).decode())"
)


def test_the_switchers_door_opens_for_the_guard_alone(host: Host) -> None:
    done = host.m.run(
        *("setpriv", "--reuid=www-data", "--clear-groups", "python3", "-c", _ASK),
        *("/run/healthguard-switcher.sock", '{"verb": "ping"}\n'),
    )
    assert "PermissionError" in done.stderr
    modes = host.m.sh("stat -c '%U %a' /run/healthguard-switcher.sock").split()
    assert modes == ["healthguard", "600"]


def test_an_operator_speaks_to_the_guard(host: Host) -> None:
    host.m.sh("id maria || useradd -G healthguard maria; id eve || useradd eve")
    done = host.m.run("setpriv", "--reuid=maria", "--regid=maria", "--init-groups",
                      "healthguard", "pause", POOL, "--for", "1m", "--reason", "lunch")  # fmt: skip
    assert done.returncode == 0, done.stderr
    done = host.m.run("setpriv", "--reuid=eve", "--clear-groups", "healthguard", "resume", POOL)
    assert done.returncode == 3
    done = host.m.run("setpriv", "--reuid=eve", "--clear-groups", "healthguard", "status")
    assert done.returncode == 0


def test_the_switcher_knows_only_the_pools_of_roots_configuration(host: Host) -> None:
    ask = ("setpriv", "--reuid=healthguard", "--clear-groups", "python3", "-c", _ASK)
    path = "/run/healthguard-switcher.sock"

    def said(line: str) -> str:
        return host.m.out(*ask, path, line + "\n")

    for pool, upstream, code in (
        ("nobody", "blue", "unknown_pool"),
        (POOL, "../../evil", "unknown_upstream"),
        (POOL, "red", "unknown_upstream"),
    ):
        answer = said(encode_request(PrepareRequest(pool, upstream)).decode().strip())
        assert code in answer or "bad_request" in answer, answer
    assert "bad_request" in said("nonsense")
    assert (
        said(encode_request(PrepareRequest(POOL, "green")).decode().strip()).count('"ticket"') == 1
    )


def test_a_config_that_others_may_write_is_not_believed(host: Host) -> None:
    host.m.sh("chown healthguard /etc/healthguard/healthguard.yaml")
    try:
        since = host.cursor()
        assert host.cli("switch", POOL, "green").returncode == 0  # by the last valid one
        said = host.journal(since, _SYSTEMD_UNIT="healthguard-switcher.service")
        assert any("who could control what root does" in entry["MESSAGE"] for entry in said), said
    finally:
        host.m.write("/etc/healthguard/healthguard.yaml", CONFIG)
        host.m.sh("chown root /etc/healthguard/healthguard.yaml")
