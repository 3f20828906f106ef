"""What stands in an environment and how far a release has come: all that every question to the gates begins with.

One statement by hand: the gates are asked at each start and each click, and as six questions of the ORM this was half
of a start's work. Each part is one look into an index, however many promotions have ended.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from relman import prepared


@dataclass(frozen=True)
class Stop:
    """One phase of the pipeline, as this application and this release know it."""

    id: int
    slug: str
    name: str
    position: int
    optional: bool
    used: bool
    """Whether the application has an environment there."""
    reached: bool
    """Whether the release has succeeded there."""


@dataclass(frozen=True)
class Ground:
    """`errored`: the promotion of unknown outcome that blocks the environment."""

    now: datetime
    live_version: str
    live_precedence: str
    errored: int | None
    locked: bool
    phases: tuple[Stop, ...]
    """All of the pipeline, in order."""


def ground(release: int, environment: int) -> Ground:
    """Read it, with the database's time. One query."""
    ((now, version, precedence, errored, locked, phases),) = prepared.rows(
        STATEMENT, {"release": release, "environment": environment}
    )
    stops: list[dict[str, Any]] = json.loads(phases)
    return Ground(now, version or "", precedence or "", errored, locked, tuple(Stop(**stop) for stop in stops))


# Scalar answers and no EXISTS for what grows: of an EXISTS the database may make a join, and read all that ever ended.
STATEMENT = """
    SELECT clock_timestamp(), live.version, live.precedence,
           (SELECT p.id FROM releases_promotion p WHERE p.environment_id = e.id AND p.status = 'errored'
             ORDER BY p.finished_at DESC LIMIT 1),
           EXISTS (SELECT FROM phases_lock l
                    WHERE l.released_at IS NULL AND (l.environment_id = e.id OR l.phase_id = e.phase_id)),
           (SELECT jsonb_agg(jsonb_build_object(
                       'id', f.id, 'slug', f.slug, 'name', f.name, 'position', f.position, 'optional', f.optional,
                       'used', u.id IS NOT NULL,
                       'reached', (SELECT true FROM releases_promotion p WHERE p.release_id = %(release)s::bigint
                                      AND p.environment_id = u.id AND p.status = 'succeeded' LIMIT 1) IS NOT NULL)
                       ORDER BY f.position)
              FROM phases_phase f
              LEFT JOIN phases_environment u ON u.phase_id = f.id AND u.application_id = e.application_id
             WHERE f.pipeline_id = here.pipeline_id)
      FROM phases_environment e
      JOIN phases_phase here ON here.id = e.phase_id
      LEFT JOIN LATERAL (
               SELECT r.version, r.precedence
                 FROM releases_promotion p JOIN releases_release r ON r.id = p.release_id
                WHERE p.environment_id = e.id AND p.status = 'succeeded'
                ORDER BY p.finished_at DESC LIMIT 1) live ON true
     WHERE e.id = %(environment)s::bigint
"""
