"""Is this installation well? One sentence for each thing that can be wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from phases import configuration, gateway, routing
from phases.models import Environment, Variable
from releases import statuses, storage
from releases.engine import ahead
from releases.models import Artifact, Promotion
from releases.queries.lookups import live_promotions
from relman.actors import Actor
from relman.audit import chain
from relman.errors import RelManError

Said = tuple[bool, str]
"""Whether all is well, and a sentence."""


@dataclass(frozen=True)
class Found:
    """One thing that was looked at."""

    name: str
    well: bool
    sentence: str


def examine(*, block: bool = True, gateway_too: bool = True) -> Iterator[Found]:
    """Look at everything, one after the other. `block`: hold environments whose target is ahead of the record."""
    first = _guarded("database", database)
    yield first
    if not first.well:
        return
    for name, check in (("secrets", secrets), ("artifacts", artifacts), ("record", the_record)):
        yield _guarded(name, check)
    yield _guarded("targets", lambda: targets(block=block))
    if gateway_too:
        yield _guarded("gateway", the_gateway)


def _guarded(name: str, check: Callable[[], Said]) -> Found:
    """A check that cannot be made is a finding too."""
    try:
        well, sentence = check()
    except (RelManError, DatabaseError, OSError, LookupError, gateway.GatewayError) as error:
        well, sentence = False, f"It could not be looked at: {error}".strip()
    return Found(name, well, sentence)


def database() -> Said:
    """It answers, and its tables are those of this code."""
    executor = MigrationExecutor(connection)
    lacking = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if lacking:
        return False, f"{len(lacking)} migrations are missing. Run `manage.py prepare`."
    return True, "It answers, and its tables are up to date."


def secrets() -> Said:
    """Today's keys open every secret, and the snapshots of what is live and of what is under way."""
    unreadable = [
        f"{one.key} of {one.environment}"
        for one in Variable.objects.filter(secret=True).select_related("environment__application", "environment__phase")
        if not _opens({one.key: {"secret": one.ciphertext}})
    ]
    needed = Promotion.objects.filter(status__in=statuses.OPEN).select_related("release__application")
    live = live_promotions(Environment.objects.all()).values()
    for promotion in {one.pk: one for one in (*needed, *live)}.values():
        if not _opens(promotion.snapshot):
            unreadable.append(f"the snapshot of promotion {promotion.pk}")
    if unreadable:
        names = ", ".join(unreadable[:5]) + (" and more" if len(unreadable) > 5 else "")
        return False, f"Today's keys do not open {names}. Bring back the old RELMAN_SECRETS_KEY, or set them again."
    return True, "Today's keys open all of them."


def _opens(snapshot: Any) -> bool:
    try:
        configuration.reveal(snapshot)
    except RelManError:
        return False
    return True


def artifacts() -> Said:
    """Every artifact that retention did not remove lies in the storage, with its size."""
    rows = Artifact.objects.select_related("release__application").order_by("release_id")
    lost = [one for one in rows if one.removed_at is None and storage.problem(one.digest, one.size)]
    if lost:
        names = ", ".join(str(one.release) for one in lost[:5]) + (" and more" if len(lost) > 5 else "")
        return False, f"{len(lost)} artifacts are missing or damaged: {names}. Publish them again, or restore a backup."
    return True, f"{len(rows)} are known, and nothing is missing."


def the_record() -> Said:
    """The chain of the record holds."""
    broken = chain.verify()
    if broken:
        return (
            False,
            f"It is broken at link {broken.sequence}: {broken.sentence} Compare it with a checkpoint kept elsewhere.",
        )
    return True, f"It is whole, {chain.checkpoint()['sequence']} links."


def targets(*, block: bool) -> Said:
    """No target has seen more than the record knows; if one has, a person decides before anything starts there."""
    for found in list(ahead.find()):
        if block:
            ahead.hold(found, actor=Actor.system())
        else:
            return False, f"{found.environment} is ahead: {found.reason}"
    waiting = ahead.names()
    if waiting:
        return False, (
            f"{', '.join(waiting)}: the target has seen more than the record knows. Nothing starts there until "
            "somebody has looked at what runs and released the lock on the environment's page."
        )
    return True, "The record knows all that they have seen."


def the_gateway() -> Said:
    """It runs, and knows the routes of the record."""
    if not gateway.alive():
        return False, "It does not answer. Deployed applications cannot be reached until it runs."
    wanted = sorted(routing.routes(), key=lambda route: route.environment)
    if wanted != sorted(gateway.known(), key=lambda route: route.environment):
        return False, "It knows other routes than the record. Run `manage.py sync_gateway`."
    return True, f"It serves the {len(wanted)} environments of the record."
