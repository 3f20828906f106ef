"""What moves, and the record of how it moved."""

from .approvals import Approval
from .maintenance import Maintenance
from .promotions import LogLine, Promotion, Step
from .releases import Artifact, Change, Release
from .wiring import Heartbeat, IdempotencyKey, Outbox

__all__ = [
    "Approval",
    "Artifact",
    "Change",
    "Heartbeat",
    "IdempotencyKey",
    "LogLine",
    "Maintenance",
    "Outbox",
    "Promotion",
    "Release",
    "Step",
]
