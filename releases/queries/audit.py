"""The audit trail, in sentences, filtered and paged by cursor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from phases import permissions
from releases.queries.history import look, phase_names, sentence, url_of
from releases.queries.shared import Named
from relman.actors import Actor
from relman.audit import queries as audit
from relman.audit.models import Event

LINES = 50
OBJECTS = ("promotion", "release", "configuration", "environment", "grant", "role", "rule", "lock", "user", "token")
COUNTED = 10_000
"""More events than this are not counted."""


@dataclass(frozen=True)
class Line:
    """One event as people read it."""

    id: int
    at: datetime
    actor: str
    via: str
    role: str
    verb: str
    text: str
    detail: str
    outcome: str
    tone: str
    icon: str
    subject: str
    subject_detail: str
    url: str | None
    digest: str


@dataclass(frozen=True)
class Cursor:
    """Older events lie before `next`, newer ones after `previous` (ids); total None: more than are counted."""

    next: int | None
    previous: int | None
    total: int | None


@dataclass(frozen=True)
class Filters:
    """What was asked for, and what there is to choose from."""

    q: str = ""
    application: str = ""
    phase: str = ""
    verb: str = ""
    outcome: str = ""
    since: str = ""
    applications: list[Named] = field(default_factory=list)
    phases: list[Named] = field(default_factory=list)
    verbs: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class AuditPage:
    """The whole page."""

    events: list[Line]
    page: Cursor
    filters: Filters


def events_of(actor: Actor, filters: Mapping[str, str], since: datetime | None = None) -> QuerySet[Event]:
    """The events that the actor may see and that fit, newest first."""
    chosen = audit.filtered(
        permissions.sight(actor),
        application=filters.get("application", ""),
        phase=filters.get("phase", ""),
        verb=filters.get("verb", ""),
        outcome=filters.get("outcome", ""),
        since=since,
    )
    word = filters.get("q", "").strip()
    if word:
        chosen = chosen.filter(
            Q(actor_name__icontains=word)
            | Q(subject__icontains=word)
            | Q(detail__icontains=word)
            | Q(version__icontains=word)
            | Q(digest__istartswith=word.removeprefix("sha256:"))
        )
    return chosen.order_by("-id")


def audit_page(
    actor: Actor,
    filters: Mapping[str, str],
    *,
    since: datetime | None = None,
    before: int | None = None,
    after: int | None = None,
) -> AuditPage:
    """One page of the record. `before`, `after`: the cursors of the page beside it."""
    chosen = events_of(actor, filters, since)
    if after:
        newer = list(chosen.filter(id__gt=after).order_by("id")[: LINES + 1])
        rows, more_new = list(reversed(newer[:LINES])), len(newer) > LINES
        more_old = True
    else:
        found = list((chosen.filter(id__lt=before) if before else chosen)[: LINES + 1])
        rows, more_old = found[:LINES], len(found) > LINES
        more_new = bool(before)
    total = chosen.order_by()[: COUNTED + 1].count()
    cursor = Cursor(
        rows[-1].pk if rows and more_old else None,
        rows[0].pk if rows and more_new else None,
        total if total <= COUNTED else None,
    )
    phases = phase_names(rows)
    return AuditPage([line(one, phases) for one in rows], cursor, _filters(actor, filters))


def line(event: Event, phases: Mapping[int, str] | None = None) -> Line:
    """One event as people read it; `phases`: the names of phases by id."""
    tone, icon = look(event)
    return Line(
        id=event.pk,
        at=event.at,
        actor=event.actor_name,
        via=event.via,
        role=event.actor_role,
        verb=event.verb,
        text=sentence(event, phases),
        detail=event.detail,
        outcome=event.outcome,
        tone=tone,
        icon=icon,
        subject=event.subject,
        subject_detail=(phases or {}).get(event.phase_id or 0, event.phase),
        url=url_of(event),
        digest=event.digest,
    )


def _filters(actor: Actor, asked: Mapping[str, Any]) -> Filters:
    applications = permissions.visible_applications(actor).order_by("name").values_list("slug", "name")
    phases = permissions.visible_phases(actor).order_by("position", "name").values_list("slug", "name")
    given = {name: str(asked.get(name, "")) for name in ("q", "application", "phase", "verb", "outcome", "since")}
    return Filters(
        **given,
        applications=[Named(*one) for one in applications],
        phases=[Named(*one) for one in dict(phases).items()],
        verbs=[
            "promotion",
            "release",
            "configuration",
            "environment",
            "grant",
            "role",
            "rule",
            "lock",
            "user",
            "token",
        ],
    )
