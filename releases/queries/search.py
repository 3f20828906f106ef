"""The search: applications, releases, promotions, phases, pipelines and people that the reader may see."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, QuerySet, Subquery

from phases import permissions
from phases.models import Application
from releases.models import Promotion
from releases.queries.holders import holders
from releases.queries.lookups import visible_promotions, visible_releases
from releases.queries.shared import Found
from relman.actors import Actor

EACH = 8
"""Results of one kind."""
NEWEST = 3
"""Releases that a name alone finds."""
SHORTEST = 1


@dataclass(frozen=True)
class SearchPage:
    """What was found."""

    q: str
    results: list[Found]


def search(actor: Actor, q: str) -> SearchPage:
    """What fits each word of the question: names and slugs, a version with or without its application, a number."""
    words = q.split()[:5]
    if not words or len(q.strip()) < SHORTEST:
        return SearchPage(q, [])
    found = [*_applications(actor, words), *_releases(actor, words), *_places(actor, words)]
    return SearchPage(q, [*found, *holders(actor, words)])


def matching(actor: Actor, words: list[str]) -> QuerySet[Application]:
    """The applications that fit each of the words."""
    chosen = permissions.visible_applications(actor).select_related("pipeline")
    for word in words:
        chosen = chosen.filter(Q(name__icontains=word) | Q(slug__icontains=word) | Q(pipeline__name__icontains=word))
    return chosen


def _applications(actor: Actor, words: list[str]) -> list[Found]:
    chosen = matching(actor, words)
    return [
        Found("application", "box", one.name, one.pipeline.name, f"/apps/{one.slug}/")
        for one in chosen.order_by("name")[:EACH]
    ]


def _releases(actor: Actor, words: list[str]) -> list[Found]:
    """By a version or a commit; asked for a name alone, the newest of the applications that fit."""
    chosen, most = visible_releases(actor), EACH
    if any(any(letter.isdigit() for letter in word) for word in words):
        for word in words:
            here = Q(application__name__icontains=word) | Q(application__slug__icontains=word)
            chosen = chosen.filter(here | Q(version__istartswith=word) | Q(commit__istartswith=word.lower()))
    else:
        named = permissions.visible_applications(actor)
        for word in words:
            named = named.filter(Q(name__icontains=word) | Q(slug__icontains=word))
        chosen, most = chosen.filter(application__in=named), NEWEST
    return [
        Found(
            "release",
            "package",
            f"{one.application.name} {one.version}",
            f"In {', '.join(one.live_in)}" if one.live_in else one.withdrawn.capitalize() or "Runs nowhere",
            f"/apps/{one.application.slug}/releases/{one.version}/",
        )
        for one in chosen.annotate(live_in=_live_in(actor)).order_by("-published_at")[:most]
    ]


def _live_in(actor: Actor) -> ArraySubquery:
    """The phases in which a release is live, of those that the actor sees, in order."""
    last = Promotion.objects.filter(environment=OuterRef("pk"), status="succeeded").order_by("-finished_at")
    places = permissions.visible_environments(actor).filter(application=OuterRef("application"))
    live = places.annotate(live=Subquery(last.values("release")[:1])).filter(live=OuterRef("pk"))
    return ArraySubquery(live.order_by("phase__position").values("phase__name"))


def _places(actor: Actor, words: list[str]) -> list[Found]:
    """Phases, pipelines, and a promotion by its number."""
    phases, pipelines = (
        permissions.visible_phases(actor).select_related("pipeline"),
        permissions.visible_pipelines(actor),
    )
    for word in words:
        phases = phases.filter(Q(name__icontains=word) | Q(slug__icontains=word) | Q(pipeline__name__icontains=word))
        pipelines = pipelines.filter(Q(name__icontains=word) | Q(slug__icontains=word))
    found = [
        Found("phase", "layout-grid", one.name, one.pipeline.name, f"/pipelines/{one.pipeline.slug}/{one.slug}/")
        for one in phases.order_by("pipeline__name", "position")[:EACH]
    ]
    found += [
        Found("pipeline", "git-branch", one.name, "Pipeline", f"/pipelines/{one.slug}/")
        for one in pipelines.order_by("name")[:EACH]
    ]
    number = words[0].lstrip("#")
    if len(words) == 1 and number.isascii() and number.isdigit() and len(number) < 18:
        for one in visible_promotions(actor).filter(pk=int(number)):
            text = f"Promotion {one.pk}"
            where = f"{one.environment.application.name} {one.release.version} to {one.environment.phase.name}"
            found.append(Found("promotion", "send", text, where, f"/promotions/{one.pk}/"))
    return found
