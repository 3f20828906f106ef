"""Statuses of a promotion: the words, the allowed moves, label and tone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

KINDS = ("deploy", "redeploy", "rollback", "adopt")
STATUSES = (
    "waiting",
    "queued",
    "running",
    "verifying",
    "succeeded",
    "failed",
    "errored",
    "rejected",
    "cancelled",
    "aborted",
    "expired",
    "superseded",
)
PENDING = ("waiting", "queued")
"""Not started: may be cancelled, superseded, expired."""
ACTIVE = ("running", "verifying")
"""Started: one an environment."""
OPEN = PENDING + ACTIVE
ENDED = tuple(status for status in STATUSES if status not in OPEN)
STEP_STATUSES = ("pending", "running", "succeeded", "failed", "errored", "skipped", "aborted")

MOVES: Mapping[str, tuple[str, ...]] = {
    "waiting": ("queued", "rejected", "cancelled", "expired", "superseded", "failed"),
    "queued": ("running", "waiting", "rejected", "cancelled", "expired", "superseded", "failed"),
    "running": ("verifying", "succeeded", "failed", "errored", "aborted"),
    "verifying": ("succeeded", "failed", "errored", "aborted"),
    "errored": ("succeeded", "failed"),
}
"""From each status, where to. `errored` is left by a person's word only."""


@dataclass(frozen=True)
class Look:
    """How a status is shown: its key in the design's status table, and its word."""

    key: str
    word: str


LOOKS: Mapping[str, Look] = {
    "waiting": Look("wait", "Waiting"),
    "queued": Look("queued", "Queued"),
    "running": Look("run", "Running"),
    "verifying": Look("run", "Verifying"),
    "succeeded": Look("ok", "Done"),
    "failed": Look("failed", "Failed"),
    "errored": Look("attention", "Outcome unknown"),
    "rejected": Look("rejected", "Rejected"),
    "cancelled": Look("none", "Cancelled"),
    "aborted": Look("failed", "Aborted"),
    "expired": Look("none", "Expired"),
    "superseded": Look("none", "Superseded"),
}


def may_move(before: str, after: str) -> bool:
    """Whether a promotion may go from one status to the other."""
    return after in MOVES.get(before, ())
