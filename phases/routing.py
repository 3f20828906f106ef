"""The gateway's routes as the record has them, and telling the gateway after a change."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from django.db import transaction

from phases import gateway
from phases.gateway import Route
from phases.models import Environment
from relman.background import later


def route_of(environment: Environment) -> Route:
    """The environment's route: its host, and whether everybody may pass."""
    return Route(environment.pk, environment.host, environment.phase.public)


def routes() -> list[Route]:
    """Every environment's route: what `gateway.sync` is told at start. One query."""
    return [route_of(one) for one in Environment.objects.select_related("application", "phase")]


def tell_gateway(environments: Iterable[Environment]) -> None:
    """After commit, add or replace these routes. A gateway that is down learns them at its next start."""
    changed = [route_of(one) for one in environments]
    for route in changed:
        transaction.on_commit(partial(later, partial(gateway.ensure, route)), robust=True)


def forget_at_gateway(environment_id: int) -> None:
    """After commit, take the route away."""
    transaction.on_commit(lambda: later(lambda: gateway.forget(environment_id)), robust=True)


def keep_in_step() -> None:
    """Tell the gateway again when it knows other routes than the record: a telling may be lost with its process."""
    wanted = sorted(routes(), key=lambda route: route.environment)
    if wanted != sorted(gateway.known(), key=lambda route: route.environment):
        gateway.sync(wanted)
