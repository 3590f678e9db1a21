"""What the daemon says, in one place: log lines, events, metrics, STATUS."""

from healthguard.service.telemetry.log import Log, choose_format
from healthguard.service.telemetry.sink import Sink
from healthguard.service.telemetry.systemd import Systemd
from healthguard.service.telemetry.telemetry import Telemetry

__all__ = ["Log", "Sink", "Systemd", "Telemetry", "choose_format"]
