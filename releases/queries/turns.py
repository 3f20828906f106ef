"""Whose turn it is: the one order in which queued promotions start, and in which pages say that they will.

Within an environment the emergency lane first, then the oldest. Over applications by turns: each application's
first in line, beginning with the one that was served longest ago, then each one's second. A hundred promotions of
one application keep nobody else's one waiting. Only rows that are queued or run are read, however many have ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from releases import formats
from releases.models import Promotion
from relman import prepared

TRIES = 8
"""Candidates of one doorbell: where several are rung at once, each takes another."""
LONGEST = 1000
"""Of the line, as far as pages look."""

_LINE = """
    SELECT p.id, p.environment_id, e.application_id, e.phase_id, p.emergency_at, p.plan_version,
           row_number() OVER (PARTITION BY p.environment_id ORDER BY p.emergency_at NULLS LAST, p.id) AS place
      FROM releases_promotion p JOIN phases_environment e ON e.id = p.environment_id
     WHERE p.status = 'queued'
"""
_STARTABLE = """
    SELECT * FROM line
     WHERE place = 1 AND plan_version <= %(format)s::int
       AND NOT EXISTS (SELECT FROM releases_maintenance WHERE ended_at IS NULL)
       AND NOT EXISTS (SELECT FROM releases_promotion busy WHERE busy.environment_id = line.environment_id
                          AND busy.status IN ('running', 'verifying'))
       AND NOT EXISTS (SELECT FROM releases_promotion busy WHERE busy.environment_id = line.environment_id
                          AND busy.cleanup = 'due' AND busy.lease_until >= now())
"""
_TURNS = """
    SELECT id, environment_id, application_id, phase_id, emergency_at,
           row_number() OVER (PARTITION BY application_id ORDER BY emergency_at NULLS LAST, place, id) AS turn,
           (SELECT max(e.served_at) FROM phases_environment e WHERE e.application_id = chosen.application_id) AS served
      FROM chosen
"""
_ORDER = "emergency_at NULLS LAST, turn, served NULLS FIRST, id"
LINE = f"""
    WITH chosen AS ({_LINE}), turns AS ({_TURNS})
    SELECT id, environment_id, application_id, emergency_at, phase_id FROM turns ORDER BY {_ORDER} LIMIT %(limit)s::int
"""  # noqa: S608 - constants of this file
DUE = f"""
    WITH line AS ({_LINE}), chosen AS ({_STARTABLE}), turns AS ({_TURNS}), going AS (
        SELECT id, environment_id FROM releases_promotion
         WHERE status IN ('running', 'verifying') AND plan_version <= %(format)s::int
           AND (lease_until IS NULL OR lease_until < now()) AND (wake_at IS NULL OR wake_at <= now())
        UNION ALL
        SELECT id, environment_id FROM releases_promotion
         WHERE id = %(rung)s::bigint AND cleanup = 'due' AND status NOT IN ('queued', 'running', 'verifying')
    )
    SELECT id, environment_id FROM (
        SELECT id, environment_id, id <> %(rung)s::bigint AS other, false AS queued,
               NULL::timestamptz AS emergency_at, 0 AS turn, NULL::timestamptz AS served FROM going
        UNION ALL
        SELECT id, environment_id, true, true, emergency_at, turn, served FROM turns
    ) AS due
     ORDER BY queued, other, {_ORDER} LIMIT %(limit)s::int
"""  # noqa: S608 - constants of this file


@dataclass(frozen=True)
class Turn:
    """One queued promotion in line."""

    id: int
    environment: int
    application: int
    emergency_at: datetime | None = None
    phase: int = 0


def due(rung: int) -> list[tuple[int, int]]:
    """Promotion and environment of what a doorbell may take now, the one whose turn it is first.

    What runs already and may go on comes before anything new; `rung` itself among it before others, and its clean-up.
    """
    values = {"rung": rung, "limit": TRIES, "format": formats.PLAN}
    return [(pk, environment) for pk, environment in prepared.rows(DUE, values)]


def line() -> list[Turn]:
    """All that is queued, in the order in which it will start; as long as nothing changes."""
    return [Turn(*row) for row in prepared.rows(LINE, {"limit": LONGEST})]


def before(promotion: Promotion) -> Q:
    """Which queued promotions of the same environment start before this one."""
    if promotion.emergency_at is None:
        return Q(status="queued") & (Q(emergency_at__isnull=False) | Q(id__lt=promotion.pk))
    earlier = Q(emergency_at__lt=promotion.emergency_at)
    return Q(status="queued") & (earlier | Q(emergency_at=promotion.emergency_at, id__lt=promotion.pk))
