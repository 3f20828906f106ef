"""The verbs of releases: permission, possibility, change, record, ring; in this order."""

from .approve import approve, reject, withdraw_approval
from .drift import adopt, revert
from .emergency import expedite
from .holds import lift_hold
from .maintenance import begin_maintenance, end_maintenance
from .promote import request_promotion, retry
from .publish import publish_release
from .rehearse import rehearse
from .rollback import roll_back
from .running import abort, cancel, resolve
from .withdraw import quarantine, yank

__all__ = [
    "abort",
    "adopt",
    "approve",
    "begin_maintenance",
    "cancel",
    "end_maintenance",
    "expedite",
    "lift_hold",
    "publish_release",
    "quarantine",
    "rehearse",
    "reject",
    "request_promotion",
    "resolve",
    "retry",
    "revert",
    "roll_back",
    "withdraw_approval",
    "yank",
]
