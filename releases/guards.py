"""Who needs an artifact's bytes and who takes them away never pass each other unseen: advisory locks by digest.

Asking for a promotion holds them shared until its end; publishing and retention hold them alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

_KEY = "('x' || left(digest, 15))::bit(60)::bigint"
SHARED = (
    f"SELECT pg_advisory_xact_lock_shared({_KEY}) "  # noqa: S608 - a constant
    "FROM (SELECT digest FROM releases_artifact WHERE release_id = %s ORDER BY digest) AS needed"
)


def need(release: int) -> None:
    """From now to the transaction's end nobody takes this release's bytes away; waits for one who is at it."""
    with connection.cursor() as cursor:
        cursor.execute(SHARED, [release])


def write(digest: str) -> None:
    """From now to the transaction's end nobody else writes or removes these bytes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_number(digest)])


@contextmanager
def alone(digest: str) -> Iterator[None]:
    """Hold these bytes alone, over several transactions, on this connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_number(digest)])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_number(digest)])


def _number(digest: str) -> int:
    return int(digest[:15], 16)
