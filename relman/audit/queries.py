"""Reading the record."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from .models import Event


@dataclass(frozen=True)
class Sight:
    """What someone may see of the record: the caller asks the permission module for it.

    `phases` are the ids of visible phases, `pipelines` those that have at least one of them, `applications` the
    slugs of their applications. `person` sees what they did themselves where it belongs to no pipeline.
    """

    everything: bool = False
    phases: Collection[int] = ()
    pipelines: Collection[int] = ()
    applications: Collection[str] = ()
    person: int | None = None
    only: Collection[str] | None = None
    """Slugs of the only applications a token speaks of; None: no such limit."""


@dataclass(frozen=True)
class Page:
    """Some events, newest first, and the cursor of the next page (None: this was the last)."""

    results: list[Event]
    next: int | None


def visible(sight: Sight) -> QuerySet[Event]:
    """All events that may be seen, newest first."""
    if sight.everything:
        return Event.objects.all()
    shared = Q(phase_id=None)
    found = Event.objects.filter(
        Q(phase_id__in=list(sight.phases))
        | shared & Q(pipeline_id__in=list(sight.pipelines))
        | shared & Q(pipeline_id=None) & ~Q(application="") & Q(application__in=list(sight.applications))
        | shared & Q(pipeline_id=None, application="", actor_id=sight.person or 0)
    )
    return found if sight.only is None else found.filter(application__in=list(sight.only))


def filtered(
    sight: Sight,
    *,
    application: str = "",
    phase: str = "",
    promotion: int | None = None,
    person: int | None = None,
    verb: str = "",
    outcome: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[Event]:
    """Visible events, narrowed. `verb` is a whole verb or its object ("promotion"); `until` is excluded."""
    events = visible(sight)
    wanted = {
        "application": application or None,
        "phase": phase or None,
        "promotion_id": promotion,
        "actor_id": person,
        "outcome": outcome or None,
        "at__gte": since,
        "at__lt": until,
    }
    events = events.filter(**{name: value for name, value in wanted.items() if value is not None})
    if verb:
        events = events.filter(Q(verb=verb) if "." in verb else Q(verb__startswith=f"{verb}."))
    return events


def events(
    sight: Sight,
    *,
    application: str = "",
    phase: str = "",
    promotion: int | None = None,
    person: int | None = None,
    verb: str = "",
    outcome: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    after: int | None = None,
    limit: int = 50,
) -> Page:
    """One page of visible events, newest first. `after` is the `next` of the page before. One query."""
    rows = filtered(
        sight,
        application=application,
        phase=phase,
        promotion=promotion,
        person=person,
        verb=verb,
        outcome=outcome,
        since=since,
        until=until,
    ).order_by("-id")
    if after is not None:
        rows = rows.filter(id__lt=after)
    found = list(rows[: limit + 1])
    return Page(found[:limit], found[limit - 1].pk if len(found) > limit else None)
