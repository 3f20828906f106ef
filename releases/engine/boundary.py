"""A step's boundary in one statement: what ended, what begins, and the lines that say so, if the promotion is ours.

This is what a promotion writes most, so it is one round trip that commits by itself. Its first part proves, with a
row lock, that nobody took over, and keeps what the step left; all others read from it: without it nothing is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from releases.engine.lease import Claim
from releases.models import LogLine, Promotion, Step
from relman import prepared

Line = tuple[int, str, str]
"""Number of the step, level, masked text."""


@dataclass(frozen=True)
class Hand:
    """The promotion is ours; `abort`: why somebody asked to stop it, as it is while our transaction lasts."""

    abort: str


@dataclass(frozen=True)
class Ended:
    """What an attempt came to. A step that stays `running` waits, and goes on with the same attempt later."""

    step: int
    status: str
    detail: str


def write(
    claim: Claim,
    left: Mapping[str, Any],
    *,
    ended: Ended | None = None,
    begins: int | None = None,
    lines: Sequence[Line] = (),
) -> Hand | None:
    """Write a boundary; `ended.step` and `begins` are ids of steps. None: somebody took over, nothing is written."""
    values: dict[str, Any] = {
        "promotion": claim.promotion.pk,
        "epoch": claim.epoch,
        "owner": claim.owner,
        "left": json.dumps(left),
        "ended": ended.step if ended else None,
        "status": ended.status if ended else "",
        "detail": ended.detail if ended else "",
        "begins": begins,
        "lines": json.dumps([{"step": step, "level": level, "text": text} for step, level, text in lines]),
    }
    found = prepared.rows(STATEMENT, values)
    return Hand(found[0][0]) if found else None


STATEMENT = f"""
    WITH mine AS (
        UPDATE {Promotion._meta.db_table} SET revision = revision + 1, "left" = %(left)s::jsonb
         WHERE id = %(promotion)s::bigint AND epoch = %(epoch)s::bigint AND lease_owner = %(owner)s::text
        RETURNING id, abort_reason
    ), ended AS (
        UPDATE {Step._meta.db_table} AS step
           SET status = %(status)s::text, detail = %(detail)s::text,
               finished_at = CASE WHEN %(status)s::text NOT IN ('pending', 'running') THEN statement_timestamp() END,
               wake_at = CASE WHEN %(status)s::text = 'running' THEN statement_timestamp() END
          FROM mine WHERE step.id = %(ended)s::bigint
    ), begun AS (
        UPDATE {Step._meta.db_table} AS step
           SET status = 'running', wake_at = NULL, finished_at = NULL,
               started_at = CASE WHEN wake_at IS NULL THEN statement_timestamp() ELSE started_at END,
               attempts = attempts + CASE WHEN wake_at IS NULL THEN 1 ELSE 0 END
          FROM mine WHERE step.id = %(begins)s::bigint
    ), said AS (
        INSERT INTO {LogLine._meta.db_table} (promotion_id, step, at, level, text)
        SELECT mine.id, line.step, statement_timestamp(), line.level, line.text
          FROM mine, ROWS FROM (jsonb_to_recordset(%(lines)s::jsonb) AS (step smallint, level text, text text))
               WITH ORDINALITY AS line (step, level, text, place)
         ORDER BY line.place
    )
    SELECT abort_reason FROM mine
"""  # noqa: S608 - names of our own tables
