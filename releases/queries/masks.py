"""What must not be read in what the applications of an environment write."""

from __future__ import annotations

from phases import configuration
from phases.drivers.masking import Masker
from phases.models import Environment
from releases.models import Promotion

FORMER = 30
"""Promotions whose instances may have lines in the log: the last ones that started."""


def masker_of(environment: Environment) -> Masker:
    """Masks today's secrets and those that its last promotions ran with: one log holds lines of several instances."""
    ran = Promotion.objects.filter(environment=environment, started_at__isnull=False).order_by("-pk")
    frozen = [configuration.snapshot(environment), *ran.values_list("snapshot", flat=True)[:FORMER]]
    # The same secret lies in many snapshots, each time in the same words: it is opened once.
    stored = {one["secret"] for snapshot in frozen for one in snapshot.values() if "secret" in one}
    return Masker(opened for one in stored if (opened := _opened(one)))


def _opened(stored: str) -> str:
    try:
        return configuration.decrypt(stored)
    except configuration.Unreadable:
        return ""  # of keys that are gone: nobody can say what it was
