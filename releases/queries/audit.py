"""The audit trail, in sentences, filtered and paged by cursor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from phases import permissions
from releases.queries.history import look, phase_names, sentence, url_of
from releases.queries.shared import Named
from relman.actors import Actor
from relman.audit import queries as audit
from relman.audit.models import Event

LINES = 50
OBJECTS: Mapping[str, str] = {
    "promotion": "Promotions",
    "release": "Releases",
    "rehearsal": "Rehearsals",
    "configuration": "Configuration",
    "environment": "Environments",
    "component": "Components",
    "lock": "Locks",
    "maintenance": "Maintenance",
    "grant": "Who has which role",
    "access": "Roles and access of a pipeline",
    "role": "Roles",
    "rule": "Approval rules",
    "user": "People",
    "group": "Groups",
    "token": "Tokens",
    "application": "Applications",
    "pipeline": "Pipelines",
    "phase": "Phases",
    "retention": "Retention",
}
"""What verbs speak of -> what a filter calls it."""
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
    brief: str
    """The same without who, which stands beside it."""
    detail: str
    outcome: str
    tone: str
    icon: str
    subject: str
    subject_detail: str
    url: str | None
    digest: str

    @property
    def more(self) -> str:
        """What the detail says that does not stand beside it anyway."""
        known = set(re.findall(r"\w+", f"{self.brief} {self.subject} {self.subject_detail}".lower()))
        return self.detail if set(re.findall(r"\w+", self.detail.lower())) - known else ""


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
    until: str = ""
    applications: list[Named] = field(default_factory=list)
    phases: list[Named] = field(default_factory=list)
    verbs: list[Named] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """What was asked for and cannot be understood."""

    @property
    def chosen(self) -> bool:
        """Whether anything was filtered."""
        return any((self.q, self.application, self.phase, self.verb, self.outcome, self.since, self.until))


@dataclass(frozen=True)
class AuditPage:
    """The whole page."""

    events: list[Line]
    page: Cursor
    filters: Filters


@dataclass(frozen=True)
class Range:
    """From when to when; `until` is excluded."""

    since: datetime | None = None
    until: datetime | None = None
    problems: list[str] = field(default_factory=list)


def range_of(filters: Mapping[str, str]) -> Range:
    """The filters `since` and `until` in the reader's zone. A day is meant as a whole; until a time: up to it."""
    found: dict[str, datetime | None] = {"since": None, "until": None}
    problems = []
    for name, text in ((name, filters.get(name, "").strip()) for name in found):
        try:
            found[name] = _moment(text, end=name == "until") if text else None
        except (ValueError, OverflowError):
            problems.append(f"“{text[:40]}” is no day. Write it like 2026-06-17, or 2026-06-17T14:30.")
    since, until = found["since"], found["until"]
    if since and until and since >= until:
        problems.append("The range ends before it begins.")
    return Range(since, until, problems)


def _moment(text: str, *, end: bool) -> datetime:
    """`2026-06-17`: its midnight, for an end the next one. With a time: that; without a zone in the reader's."""
    zone = timezone.get_current_timezone()
    if "T" not in text:
        found = datetime.combine(date.fromisoformat(text) + timedelta(days=end), time.min, zone)
    else:
        found = datetime.fromisoformat(text)
    if not 1970 <= found.year <= 2200:
        raise ValueError(text)
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def events_of(actor: Actor, filters: Mapping[str, str]) -> QuerySet[Event]:
    """The events that the actor may see and that fit, newest first."""
    asked = range_of(filters)
    chosen = audit.filtered(
        permissions.sight(actor),
        application=filters.get("application", ""),
        phase=filters.get("phase", ""),
        verb=filters.get("verb", ""),
        outcome=filters.get("outcome", ""),
        since=asked.since,
        until=asked.until,
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
    before: int | None = None,
    after: int | None = None,
) -> AuditPage:
    """One page of the record. `before`, `after`: the cursors of the page beside it."""
    chosen = events_of(actor, filters)
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
    said, phase = sentence(event, phases), (phases or {}).get(event.phase_id or 0, event.phase)
    subject = event.subject
    if phase and subject.endswith((f" to {phase}", f" in {phase}")):
        subject = subject[: -len(phase) - 4]
    return Line(
        id=event.pk,
        at=event.at,
        actor=event.actor_name,
        via=event.via,
        role=event.actor_role,
        verb=event.verb,
        text=said,
        brief=_brief(said, event.actor_name),
        detail=event.detail,
        outcome=event.outcome,
        tone=tone,
        icon=icon,
        subject=subject,
        subject_detail=phase,
        url=url_of(event),
        digest=event.digest,
    )


def _brief(said: str, who: str) -> str:
    """`**Ann** approved **1.0** for **Live**` -> `Approved **1.0** for **Live**`."""
    name = f"**{who}**"
    for begins in (f"{name} was refused: ", f"{name}: ", f"{name} "):
        if said.startswith(begins):
            rest = said[len(begins) :]
            return rest[:1].upper() + rest[1:]
    return said


def _filters(actor: Actor, asked: Mapping[str, Any]) -> Filters:
    applications = permissions.visible_applications(actor).order_by("name").values_list("slug", "name")
    phases = permissions.visible_phases(actor).order_by("position", "name").values_list("slug", "name")
    names = ("q", "application", "phase", "verb", "outcome", "since", "until")
    given = {name: str(asked.get(name, "")) for name in names}
    return Filters(
        **given,
        applications=[Named(*one) for one in applications],
        phases=[Named(*one) for one in dict(phases).items()],
        verbs=[Named(*one) for one in OBJECTS.items()],
        problems=range_of(given).problems,
    )
