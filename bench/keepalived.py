"""keepalived with two ``vrrp_script`` checks by curl, in a network of its own: VRRP refuses ``lo``.

The apps are reached through a unix socket, which needs no network.
"""

from pathlib import Path

from bench.proc import Cost, children_of, cpu, rss_mb
from bench.programs import Program

_CONFIG = """
global_defs {{
    script_user root
    enable_script_security
}}
vrrp_script blue {{
    script "/usr/bin/curl -sf -m 2 -o /dev/null --unix-socket {socket} http://app/healthz"
    interval 2
    fall 3
    rise 2
}}
vrrp_script green {{
    script "/usr/bin/curl -sf -m 2 -o /dev/null --unix-socket {socket} http://app/healthz"
    interval 2
    fall 3
    rise 2
}}
vrrp_instance guard {{
    interface hg0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {{ 10.99.0.9/24 }}
    track_script {{
        blue
        green
    }}
}}
"""
_START = """
ip link add hg0 type veth peer name hg1 && ip address add 10.99.0.1/24 dev hg0 &&
ip link set hg0 up && ip link set hg1 up && ip link set lo up &&
exec keepalived -n -l -P -f {root}/keepalived.conf -p {root}/keepalived.pid -r {root}/vrrp.pid
"""


class Keepalived(Program):
    """keepalived of the distribution, checking what listens on ``socket`` twice."""

    def __init__(self, root: Path, socket: Path) -> None:
        root.mkdir(parents=True)
        (root / "keepalived.conf").write_text(_CONFIG.format(socket=socket))
        super().__init__(
            root, "keepalived", ["unshare", "--net", "sh", "-c", _START.format(root=root)]
        )

    def ready(self) -> bool:
        """See Program."""
        return "VRRP_Script(green) succeeded" in self.output.read_text()

    def cost(self) -> Cost:
        """So far: both of its processes, and as ``children`` the checks that have ended."""
        costs = [cpu(pid) for pid in self._pids()]
        return Cost(sum(each.own for each in costs), sum(each.children for each in costs))

    def memory_mb(self) -> float:
        """Resident memory of both of its processes in MB."""
        return sum(map(rss_mb, self._pids()))

    def _pids(self) -> list[int]:
        return [self.pid, *children_of(self.pid)]
