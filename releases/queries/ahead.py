"""What runs, and what stands in front of a promotion, as one reader may see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, Case, F, OuterRef, Q, Value, When
from django.db.models.functions import Now

from phases import permissions
from phases.models import Environment
from releases import statuses
from releases.models import Heartbeat, Promotion
from releases.queries.places import usual
from releases.queries.shared import Named
from releases.queries.turns import Turn
from relman.actors import Actor

UNSEEN = "what you may not see"
"""One for all of them: not even how many there are is told."""


@dataclass(frozen=True)
class Going:
    """A promotion that runs or cleans up; `working`: a worker is at it now."""

    id: int
    environment: int
    started_at: datetime | None
    working: bool
    phase: int = 0
    application: int = 0


@dataclass(frozen=True)
class Ahead:
    """One promotion in front of another. What the reader may not see has nothing but its text."""

    text: str
    status: str = ""
    promotion: int | None = None
    application: Named | None = None
    version: str | None = None
    phase: Named | None = None


def going_on() -> list[Going]:
    """What runs, and what cleans up under a lease; the oldest first. One query."""
    working = Case(When(lease_until__gte=Now(), then=Value(True)), default=Value(False), output_field=BooleanField())
    cleaning = Q(cleanup="due", lease_until__gte=Now())
    rows = Promotion.objects.filter(Q(status__in=statuses.ACTIVE) | cleaning).annotate(working=working)
    place = ("environment__phase_id", "environment__application_id")
    found = rows.order_by("id").values_list("id", "environment_id", "started_at", "working", *place)
    return [Going(*row) for row in found[:1000]]


def seen_of(actor: Actor, ones: Iterable[Going | Turn]) -> set[int]:
    """Those of them that the actor sees, by id; no query beside the rights."""
    rights = permissions.access(actor)
    return {one.id for one in ones if "view" in rights.within(one.phase) and rights.covers(one.application)}


def workers() -> int:
    """How many promotions can be worked at once: the slots of all workers heard of within three rounds. One query."""
    alive = Heartbeat.objects.filter(kind="worker", at__gte=Now() - timedelta(seconds=3 * settings.SWEEP))
    return sum(int(detail.get("slots") or 1) for detail in alive.values_list("detail", flat=True))


def usual_of(environments: Sequence[int]) -> Mapping[int, float | None]:
    """Environment -> seconds that a promotion there usually takes: median of the last five successes. One query."""
    done = Promotion.objects.filter(environment=OuterRef("pk"), status="succeeded", started_at__isnull=False)
    took = done.order_by("-finished_at").annotate(took=F("finished_at") - F("started_at")).values("took")[:5]
    rows = Environment.objects.filter(pk__in=set(environments)).order_by().annotate(took=ArraySubquery(took))
    return {pk: usual(spans) for pk, spans in rows.values_list("pk", "took")}


def shown(actor: Actor, promotions: Sequence[int]) -> list[Ahead]:
    """These promotions in this order; all that the actor may not see stand as one for the first of them. One query."""
    if not promotions:
        return []
    inside = permissions.visible_environments(actor)
    rows = Promotion.objects.filter(pk__in=promotions, environment__in=inside).select_related(
        "release", "environment__application", "environment__phase"
    )
    seen = {one.pk: _seen(one) for one in rows.defer("snapshot", "plan", "target", "left", "release__manifest")}
    return list(dict.fromkeys(seen.get(pk, Ahead(UNSEEN)) for pk in promotions))


def _seen(promotion: Promotion) -> Ahead:
    application, phase = promotion.environment.application, promotion.environment.phase
    version = promotion.release.version
    cleaning = ", cleaning up" if promotion.status in statuses.ENDED else ""
    text = f"{application.name} {version} to {phase.name}{cleaning}"
    return Ahead(text, promotion.status, promotion.pk, Named.of(application), version, Named.of(phase))
