"""What moves, and the record of how it moved."""

from .approvals import Approval
from .maintenance import Maintenance
from .promotions import LogLine, Promotion, Step
from .releases import Artifact, Change, Release
from .way_back import Hold, Rehearsal
from .wiring import Heartbeat, IdempotencyKey, Outbox

__all__ = [
    "Approval",
    "Artifact",
    "Change",
    "Heartbeat",
    "Hold",
    "IdempotencyKey",
    "LogLine",
    "Maintenance",
    "Outbox",
    "Promotion",
    "Rehearsal",
    "Release",
    "Step",
]
