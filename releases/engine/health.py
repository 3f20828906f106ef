"""The reality probe: what runs in each environment, looked at each minute and compared with the record.

One process looks at a time (an advisory lock), at several targets side by side, outside any transaction. A target that
does not answer holds up nobody: its look is given up, and it is not asked again before that one has ended.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection
from django.db.models import F, Q
from django.db.models.functions import Now

from phases import gateway
from phases.drivers.base import DriverError, Expected, Fenced
from phases.drivers.registry import driver
from phases.models import Environment
from phases.targets import target_of
from releases import reality, statuses
from releases.engine import ahead, drift
from releases.engine.drift import Look
from releases.models import Promotion
from releases.queries.lookups import live_promotions

log = logging.getLogger(__name__)
LOCK = 0x5245414C  # "REAL": the advisory lock of whoever looks
EVERY = timedelta(seconds=60)
SOON = timedelta(seconds=10)
LIMIT = 5.0
"""Seconds that one look may take."""
PATIENCE = 20.0
"""Seconds until the looks of a batch that have not ended are given up."""
ROUND = 50.0
"""Seconds after which a round leaves the rest to the next one."""
BATCH = 64
SIDE_BY_SIDE = 8

_thread: threading.Thread | None = None
_hanging: set[int] = set()
"""Environments whose look in this process has not ended."""


@dataclass(frozen=True)
class Watched:
    """One environment in which something is live."""

    environment: Environment
    promotion: Promotion
    expected: Expected


def begin() -> None:
    """Look around in a thread of its own, so that the safety round goes on; nothing when one is at it."""
    global _thread
    if _thread is None or not _thread.is_alive():
        _thread = threading.Thread(target=_run, name="reality", daemon=True)
        _thread.start()


def _run() -> None:
    try:
        look_around()
    except Exception as error:  # the next round must come, whatever this one met
        log.warning("A look around broke off, the next round tries again: %s", error)
    finally:
        connection.close()


def look_around() -> None:
    """Look at each environment whose look is due, unless another process is at it."""
    with _alone() as mine:
        end = time.monotonic() + ROUND
        while mine and (batch := _due()):
            for one, look in _side_by_side(_watched(batch)):
                drift.note(one.environment, one.promotion, _brought_back(one, look))
            if len(batch) < BATCH or time.monotonic() > end:
                return


@contextmanager
def _alone() -> Iterator[bool]:
    """A lock of this connection: it ends with the process, and needs no transaction meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def _due() -> list[Environment]:
    """Those not looked at for a minute; what is unhealthy, or was seen otherwise just now, after ten seconds."""
    doubtful = ~Q(health="healthy") | ~Q(doubt={})
    due = Q(health_at=None) | Q(health_at__lt=Now() - EVERY) | (doubtful & Q(health_at__lt=Now() - SOON))
    chosen = Environment.objects.filter(due).exclude(pk__in=list(_hanging))
    return list(chosen.select_related("application", "phase").order_by(F("health_at").asc(nulls_first=True))[:BATCH])


def _watched(environments: Sequence[Environment]) -> list[Watched]:
    """Those with something live and no promotion that has them in hand, which looks itself."""
    live = live_promotions(environments)
    in_hand = Q(status__in=statuses.ACTIVE) | Q(cleanup="due")
    for busy in Promotion.objects.filter(in_hand, environment__in=environments).values_list("environment_id"):
        live.pop(busy[0], None)
    others = [one.pk for one in environments if one.pk not in live]
    Environment.objects.filter(pk__in=others).update(health_at=Now(), doubt={})
    return [Watched(one, live[one.pk], expected_of(live[one.pk])) for one in environments if one.pk in live]


def expected_of(promotion: Promotion) -> Expected:
    """What should run while this promotion is live: as it was brought, not as the next one will be."""
    return Expected(
        promotion.pk,
        promotion.release.version,
        promotion.digest,
        int(promotion.target.get("instances", 1)),
        promotion.release.manifest,
    )


def _side_by_side(watched: Sequence[Watched]) -> Iterator[tuple[Watched, Look]]:
    """Each with its look, as they come; those that have not ended in time with the word that they have not."""
    jobs: queue.SimpleQueue[Watched] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Watched, Look]] = queue.SimpleQueue()
    for one in watched:
        jobs.put(one)
    for number in range(min(SIDE_BY_SIDE, len(watched))):
        threading.Thread(target=_work, args=(jobs, done), name=f"look-{number}", daemon=True).start()
    left = {one.environment.pk: one for one in watched}
    end = time.monotonic() + PATIENCE
    while left:
        try:
            one, look = done.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        left.pop(one.environment.pk)
        yield one, look
    for one in left.values():
        if one.environment.pk in _hanging:  # the others have not been begun, and are due still
            yield one, Look("unknown", f"The target did not answer within {PATIENCE:.0f} s.")


def _work(jobs: queue.SimpleQueue[Watched], done: queue.SimpleQueue[tuple[Watched, Look]]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            one = jobs.get_nowait()
        except queue.Empty:
            return
        _hanging.add(one.environment.pk)
        try:
            done.put((one, look_at(one)))
        finally:
            _hanging.discard(one.environment.pk)


def look_at(one: Watched) -> Look:
    """Ask the target. Uses no database."""
    try:
        seen = driver(one.environment.driver).observe(target_of(one.environment), one.expected, LIMIT)
    except Exception as error:
        log.info("What runs in %s is unknown: %s", one.environment.host, error)
        return Look("unknown", "RelMan could not look.")
    found = reality.compare(one.expected, seen)
    if found is not None and not seen.running:
        return Look("unhealthy", found.text, seen, found)
    return Look("healthy" if seen.healthy else "unhealthy", seen.sentence, seen, found)


def _brought_back(one: Watched, look: Look) -> Look:
    """What the target itself has lost is started again as recorded; whatever somebody changed is left alone."""
    if look.seen is None or not look.seen.lost or look.drift is None:
        return look
    words, back = bring_back(one.environment, one.promotion)
    return Look(look.health, words, look.seen, None if back else look.drift)


def bring_back(environment: Environment, promotion: Promotion) -> tuple[str, bool]:
    """Nothing of what is live runs, as after a reboot whose ports were taken: start it as recorded, route to it.

    Whatever was asked for meanwhile is left alone, and with the epoch that was read with the environment nothing is
    touched once a promotion has come to the target since. Answers what became of it, and whether it was started.
    """
    if ahead.held(environment):
        words = "The target knows more than RelMan after a restore, so nothing is started until the lock is released."
        return words, False
    open_ones = Promotion.objects.filter(environment=environment, status__in=statuses.OPEN).values_list("pk", flat=True)
    try:
        target = target_of(environment)
        brought = driver(environment.driver).restore(target, [promotion.pk, *open_ones], environment.epoch)
        addresses = brought.get(promotion.pk, [])
        if addresses and gateway.upstreams(environment.pk) != addresses:
            gateway.switch(environment.pk, addresses, epoch=environment.epoch)
    except (Fenced, gateway.Stale):
        return f"No instance of {promotion.release.version} ran; another promotion came there meanwhile.", False
    except (DriverError, gateway.GatewayError, OSError) as error:
        return f"No instance of {promotion.release.version} runs, and it could not be started: {error}", False
    if not addresses:
        return f"No instance of {promotion.release.version} runs.", False
    return f"{promotion.release.version} was not running and was started again.", True
