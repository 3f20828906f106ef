"""Looking at what runs: each environment's health, at most once a minute, side by side, outside any transaction."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from django.db.models import F, Q
from django.db.models.functions import Now

from phases.drivers.registry import driver
from phases.models import Environment
from releases.engine import plan
from releases.engine.own import judge
from releases.models import Promotion
from releases.queries.lookups import live_promotions
from relman.live import publish_on_commit

log = logging.getLogger(__name__)
EVERY = timedelta(seconds=60)
SOON = timedelta(seconds=10)
LIMIT = 3.0
BATCH = 64
SIDE_BY_SIDE = 8


def look_around() -> None:
    """Look at environments that something serves in, and note what was seen; unhealthy ones more often."""
    old = Q(health_at=None) | Q(health_at__lt=Now() - EVERY) | (~Q(health="healthy") & Q(health_at__lt=Now() - SOON))
    environments = list(
        Environment.objects.filter(old)
        .select_related("application", "phase")
        .order_by(F("health_at").asc(nulls_first=True))[:BATCH]
    )
    live = live_promotions(environments)
    Environment.objects.filter(pk__in=[e.pk for e in environments if e.pk not in live]).update(health_at=Now())
    watched = [(environment, live[environment.pk]) for environment in environments if environment.pk in live]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for (environment, _), (health, words) in zip(watched, pool.map(_see, watched), strict=True):
            note(environment, health, words)


def _see(pair: tuple[Environment, Promotion]) -> tuple[str, str]:
    """What the driver sees: healthy, unhealthy or unknown, and a sentence. Uses no database."""
    environment, promotion = pair
    try:
        speaker, target = driver(environment.driver), plan.target_of(environment)
        running = [one for one in speaker.instances(target) if one.promotion == promotion.pk]
        if not running:
            return "unhealthy", f"No instance of {promotion.release.version} runs."
        for instance in running:
            probe = speaker.inspect(target, instance, promotion.release.manifest, LIMIT)
            good, words = judge(probe, promotion.release.version, instance)
            if not good:
                return "unhealthy", words
        return "healthy", words
    except Exception as error:
        log.info("The health of %s is unknown: %s", environment.host, error)
        return "unknown", "RelMan could not look."


def note(environment: Environment, health: str, words: str) -> None:
    """Save what was seen; pages hear of it when it changed."""
    fields = {"health": health, "health_detail": words[:300], "health_at": Now()}
    if health != environment.health:
        publish_on_commit(f"environment:{environment.pk}", f"application:{environment.application.slug}")
        fields["health_since"] = Now()
    Environment.objects.filter(pk=environment.pk).update(**fields)
