"""What the daemon says, in one place: log lines, events, metrics, STATUS."""

from healthguard.telemetry.log import Log, choose_format
from healthguard.telemetry.sink import Sink
from healthguard.telemetry.systemd import Systemd
from healthguard.telemetry.telemetry import Telemetry

__all__ = ["Log", "Sink", "Systemd", "Telemetry", "choose_format"]
