"""Finding one thing, as whoever asks may see it; and what is live."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import OuterRef, QuerySet, Subquery

from phases import permissions
from phases.models import Application, Environment
from releases import versions
from releases.models import Promotion, Release
from relman.actors import Actor
from relman.errors import NotFound


def visible_promotions(actor: Actor) -> QuerySet[Promotion]:
    """The promotions into environments that the actor sees."""
    return Promotion.objects.filter(environment__in=permissions.visible_environments(actor)).select_related(
        "release", "environment__application__pipeline", "environment__phase", "requested_by"
    )


def visible_releases(actor: Actor) -> QuerySet[Release]:
    """The releases of applications that the actor sees."""
    return Release.objects.filter(application__in=permissions.visible_applications(actor)).select_related(
        "application__pipeline", "published_by", "author_user"
    )


def get_release(actor: Actor, application: str, version: str) -> Release:
    """The release of this version. NotFound when it is unknown or invisible."""
    found = visible_releases(actor).filter(application__slug=application, version=version).first()
    if found is None:
        raise NotFound(f"There is no release “{version[:128]}” of “{application[:63]}” that you can see.")
    return found


def get_promotion(actor: Actor, number: int) -> Promotion:
    """The promotion of this number. NotFound as above."""
    found = visible_promotions(actor).filter(pk=number).first() if number < 2**63 else None
    if found is None:
        raise NotFound(f"There is no promotion {number} that you can see.")
    return found


def next_version(application: Application) -> str:
    """The version that usually comes after the highest one; 1.0.0 for the first release."""
    highest = Release.objects.filter(application=application).order_by("-precedence").values_list("version", flat=True)
    newest = highest.first()
    return versions.after(newest) if newest else "1.0.0"


def live_of(environment: Environment) -> Promotion | None:
    """What is live: the last succeeded promotion by finish time, with its release."""
    return _succeeded(environment).select_related("release", "requested_by").first()


def _succeeded(environment: Environment) -> QuerySet[Promotion]:
    return Promotion.objects.filter(environment=environment, status="succeeded").order_by("-finished_at")


def live_promotions(environments: Iterable[Environment]) -> dict[int, Promotion]:
    """Environment id -> what is live in it, for those where something is. One query, one index look-up each."""
    ids = [environment.pk for environment in environments]
    newest = (
        Promotion.objects.filter(environment=OuterRef("pk"), status="succeeded")
        .order_by("-finished_at")
        .values("pk")[:1]
    )
    live = Environment.objects.filter(pk__in=ids).annotate(live=Subquery(newest)).values("live")
    found = Promotion.objects.filter(pk__in=live).select_related("release")
    return {promotion.environment_id: promotion for promotion in found}
