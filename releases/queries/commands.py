"""What the palette offers to do: only what this person may do. A command opens its page; it never runs by itself."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Count

from phases import permissions
from phases.models import Application, Environment, Phase
from releases.queries.lookups import visible_promotions
from releases.queries.search import matching
from releases.queries.shared import Found
from relman.actors import Actor

EACH = 4
"""Commands of one kind."""


def commands(actor: Actor, q: str) -> list[Found]:
    """Commands for the question: on the applications that fit, or what stands open without a question."""
    words = q.split()[:5]
    chosen = matching(actor, words) if words else permissions.visible_applications(actor)
    return [
        *_new_releases(actor, list(chosen.order_by("name")[:EACH]), bool(words)),
        *(_roll_backs(actor, list(chosen.order_by("name")[:EACH])) if words else _creations(actor)),
    ]


def _new_releases(actor: Actor, chosen: Sequence[Application], named: bool) -> list[Found]:
    firsts = Phase.objects.filter(pk__in=permissions.phases_with(actor, "publish"), position=1)
    pipelines = set(firsts.values_list("pipeline", flat=True))
    if not named:
        return [Found("command", "plus", "New release", "", "/releases/new/")] if pipelines else []
    return [
        Found("command", "plus", f"New release of {one.name}", "", f"/apps/{one.slug}/releases/new/")
        for one in chosen
        if one.pipeline_id in pipelines
    ]


def _roll_backs(actor: Actor, chosen: Sequence[Application]) -> list[Found]:
    """Places in which at least two releases have run."""
    here = visible_promotions(actor).filter(
        status="succeeded",
        environment__application__in=chosen,
        environment__phase__in=permissions.phases_with(actor, "roll_back"),
    )
    several = here.values("environment").annotate(ran=Count("release", distinct=True)).filter(ran__gt=1)
    places = Environment.objects.filter(pk__in=several.values("environment")).select_related("application", "phase")
    return [
        Found(
            "command",
            "undo-2",
            f"Roll back {one.application.name} in {one.phase.name}",
            "Asks first",
            f"/apps/{one.application.slug}/{one.phase.slug}/rollback/",
        )
        for one in places.order_by("application__name", "-phase__position")[:EACH]
    ]


def _creations(actor: Actor) -> list[Found]:
    if not actor.is_superuser:
        return []
    return [
        Found("command", "plus", "New application", "", "/apps/new/"),
        Found("command", "plus", "New pipeline", "", "/pipelines/new/"),
    ]
