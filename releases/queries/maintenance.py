"""Whether RelMan is in maintenance, what still runs, and when it is safe to stop."""

from __future__ import annotations

from django.db import connection
from django.db.models import QuerySet

from releases.models import Maintenance

LOCK = 0x52454C4E
"""Advisory lock: shared by every claim, alone for who begins a maintenance. What began before it counts as running."""


def open_ones() -> QuerySet[Maintenance]:
    """The maintenance that is on; none or one."""
    return Maintenance.objects.filter(ended_at=None)


def wait_for_beginning() -> None:
    """In a claim's transaction: let a maintenance that is about to begin come first, and later ones wait for us.

    A statement after this one sees every maintenance that has begun.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [LOCK])


def wait_for_claims() -> None:
    """In the transaction that begins a maintenance: no claim is half done, and none starts before its end."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
