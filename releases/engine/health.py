"""Looking at what runs: each environment's health, at most once a minute, side by side, outside any transaction."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from django.db.models import F, Q
from django.db.models.functions import Now

from phases import gateway
from phases.drivers.base import DriverError
from phases.drivers.registry import driver
from phases.models import Environment
from releases import statuses
from releases.engine import ahead, plan
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
MISSING = "nothing runs"


def look_around() -> None:
    """Look at environments that something serves in, and note what was seen; unhealthy ones more often."""
    old = Q(health_at=None) | Q(health_at__lt=Now() - EVERY) | (~Q(health="healthy") & Q(health_at__lt=Now() - SOON))
    environments = list(
        Environment.objects.filter(old)
        .select_related("application", "phase")
        .order_by(F("health_at").asc(nulls_first=True))[:BATCH]
    )
    live = live_promotions(environments)
    for busy in Promotion.objects.filter(
        Q(status__in=statuses.ACTIVE) | Q(cleanup="due"), environment__in=environments
    ):
        live.pop(busy.environment_id, None)  # a promotion has it in hand, and looks itself
    Environment.objects.filter(pk__in=[e.pk for e in environments if e.pk not in live]).update(health_at=Now())
    watched = [(environment, live[environment.pk]) for environment in environments if environment.pk in live]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for (environment, promotion), (health, words) in zip(watched, pool.map(_see, watched), strict=True):
            found = bring_back(environment, promotion) if words == MISSING else words
            note(environment, health, found)


def _see(pair: tuple[Environment, Promotion]) -> tuple[str, str]:
    """What the driver sees: healthy, unhealthy or unknown, and a sentence. Uses no database."""
    environment, promotion = pair
    try:
        speaker, target = driver(environment.driver), plan.target_of(environment)
        running = [one for one in speaker.instances(target) if one.promotion == promotion.pk]
        if not running:
            return "unhealthy", MISSING
        for instance in running:
            probe = speaker.inspect(target, instance, promotion.release.manifest, LIMIT)
            good, words = judge(probe, promotion.release.version, instance)
            if not good:
                return "unhealthy", words
        return "healthy", words
    except Exception as error:
        log.info("The health of %s is unknown: %s", environment.host, error)
        return "unknown", "RelMan could not look."


def bring_back(environment: Environment, promotion: Promotion) -> str:
    """Nothing of what is live runs, as after a reboot whose ports were taken: start it as recorded, route to it.

    Whatever was asked for meanwhile is left alone.
    """
    if ahead.held(environment):
        return "The target knows more than RelMan after a restore, so nothing is started until the lock is released."
    open_ones = Promotion.objects.filter(environment=environment, status__in=statuses.OPEN).values_list("pk", flat=True)
    try:
        target = plan.target_of(environment)
        brought = driver(environment.driver).restore(target, [promotion.pk, *open_ones])
        addresses = brought.get(promotion.pk, [])
        if addresses and gateway.upstreams(environment.pk) != addresses:
            gateway.switch(environment.pk, addresses)
    except (DriverError, gateway.GatewayError, OSError) as error:
        return f"No instance of {promotion.release.version} runs, and it could not be started: {error}"
    if not addresses:
        return f"No instance of {promotion.release.version} runs."
    return f"{promotion.release.version} was not running and was started again."


def note(environment: Environment, health: str, words: str) -> None:
    """Save what was seen; pages hear of it when it changed."""
    fields = {"health": health, "health_detail": words[:300], "health_at": Now()}
    if health != environment.health:
        publish_on_commit(f"environment:{environment.pk}", f"application:{environment.application.slug}")
        fields["health_since"] = Now()
    Environment.objects.filter(pk=environment.pk).update(**fields)
