"""The only writer of a promotion's status: the change, its event and its live topics in one breath."""

from __future__ import annotations

from typing import Any, cast

from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.db.models.sql import UpdateQuery

from releases import statuses
from releases.models import Promotion
from relman.actors import Actor
from relman.audit import record
from relman.errors import Conflict
from relman.live import publish_on_commit

VERBS = {"running": "started"}
CHANGING = (
    "status",
    "reason",
    "revision",
    "epoch",
    "lease_until",
    "lease_owner",
    "wake_at",
    "cleanup",
    "takeovers",
    "queued_at",
    "started_at",
    "finished_at",
)
"""Columns that a move may change: it answers them itself, and drops no relation that is loaded already."""


def advance(
    promotion: Promotion,
    to: str,
    *,
    actor: Actor,
    before: tuple[str, ...] = (),
    detail: str = "",
    holds: dict[str, Any] | None = None,
    **fields: Any,
) -> Promotion:
    """Move a promotion to status `to`, from one of `before` (default: all that may).

    `holds` are further conditions on the row (the engine's epoch and lease). Exactly one
    row must change: two racers have one winner, the other gets Conflict with the present
    state. Returns the promotion, fresh.
    """
    before = before or tuple(status for status in statuses.STATUSES if statuses.may_move(status, to))
    if not all(statuses.may_move(status, to) for status in before):
        raise ValueError(f"No promotion moves from {before} to {to}.")
    with transaction.atomic(savepoint=False):
        was = before[0] if len(before) == 1 else _status_now(promotion)
        rows = Promotion.objects.filter(pk=promotion.pk, status__in=before, **(holds or {}))
        changed = _update(rows, {**_times(to), **fields, "status": to, "revision": F("revision") + 1})
        if changed:
            for name, value in zip(CHANGING, changed, strict=True):
                setattr(promotion, name, value)
            _tell(promotion, was, actor, detail)
        else:
            was = _status_now(promotion)
    if not changed:  # said out here, where it does not take back what the caller's transaction did before
        raise lost(promotion.pk, was)
    return promotion


def _update(rows: QuerySet[Promotion], values: dict[str, Any]) -> tuple[Any, ...] | None:
    """Update the one row, and what it is like then (CHANGING); None: there is none. One question instead of two."""
    query = cast(UpdateQuery, rows.query.chain(UpdateQuery))
    query.add_update_values(values)
    words, parameters = query.get_compiler(connection=connection).as_sql()
    with connection.cursor() as cursor:
        cursor.execute(f"{words} RETURNING {', '.join(CHANGING)}", parameters)
        found: tuple[Any, ...] | None = cursor.fetchone()
        return found


def _status_now(promotion: Promotion) -> str:
    """Read under the row's lock, so that the event says what was true."""
    locked = Promotion.objects.select_for_update(of=("self",)).filter(pk=promotion.pk)
    return locked.values_list("status", flat=True).get()


def _tell(promotion: Promotion, was: str, actor: Actor, detail: str) -> None:
    """The event and the live topics of a move."""
    record(
        f"promotion.{VERBS.get(promotion.status, promotion.status)}",
        actor=actor,
        subject=promotion,
        promotion=promotion,
        before={"status": was},
        after={"status": promotion.status},
        detail=detail or promotion.reason,
    )
    announce(promotion)


def lost(promotion_id: int, status: str) -> Conflict:
    """The answer to whoever came second."""
    word = statuses.LOOKS[status].word.lower()
    return Conflict(
        f"Promotion {promotion_id} is already {word}; nothing was changed.", code="wrong_state", state=status
    )


def announce(promotion: Promotion) -> None:
    """Tell every page that shows this promotion, after commit."""
    application = promotion.environment.application
    publish_on_commit(
        f"promotion:{promotion.pk}",
        f"application:{application.slug}",
        f"environment:{promotion.environment_id}",
        "approvals",
    )


def _times(to: str) -> dict[str, Any]:
    """The times that a status sets, by the database's clock."""
    if to == "queued":
        return {"queued_at": Now()}
    if to == "running":
        return {"started_at": Now()}
    if to in statuses.ENDED:
        return {"finished_at": Now(), "lease_until": None, "lease_owner": "", "wake_at": None}
    return {}
