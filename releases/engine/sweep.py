"""The safety round: in every worker and web process, every 10 s with jitter, one at a time by advisory lock.

It makes up for whatever a lost message, a dead worker or a passed deadline left behind.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import close_old_connections, connection, transaction
from django.db.models import F, Min, Q
from django.db.models.functions import Now

from phases import locks, routing
from releases import statuses, storage
from releases.dispatch import ring_now
from releases.engine import advance_waiting, health, rehearsing
from releases.models import Heartbeat, IdempotencyKey, Outbox, Promotion
from releases.transitions import advance
from relman.actors import Actor
from relman.audit import chain
from relman.background import spread
from relman.clock import now
from relman.errors import Conflict

log = logging.getLogger(__name__)
LOCK = 0x52454C4D  # "RELM": the advisory lock of the round
BATCH = 500

_thread: threading.Thread | None = None
_end = threading.Event()


def start(kind: str, *, slots: int = 0) -> None:
    """Begin sweeping in this process; a second call does nothing. `slots`: promotions that it can work at once."""
    global _thread
    if _thread is None or not _thread.is_alive():
        _end.clear()
        _thread = threading.Thread(target=_run, args=(kind, slots), name="sweep", daemon=True)
        _thread.start()


def stop() -> None:
    """End sweeping in this process."""
    _end.set()


def _run(kind: str, slots: int) -> None:
    pause = spread(0.1, 1.0)
    while not _end.wait(pause):
        try:
            close_old_connections()
            beat(kind, slots)
            swept = round_once()
            health.begin()
            pause = _pause() if swept else settings.SWEEP * spread(0.3, 0.6)
        except Exception as error:  # the next round must come, whatever this one met
            log.warning("A safety round failed, the next one tries again: %s", error)
            pause = settings.SWEEP * spread(0.2, 0.5)
        finally:
            connection.close()


def _pause() -> float:
    """Until the next row is due, at most one round; never under a fifth of a second."""
    due = Promotion.objects.filter(_woken_by_time()).aggregate(next=Min("wake_at"))["next"]
    longest = settings.SWEEP * spread(0.8, 1.0)
    return longest if due is None else max(0.2, min(longest, (due - now()).total_seconds()))


def round_once() -> bool:
    """One round, unless another process is at it; True when this one did it."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
            if not cursor.fetchone()[0]:
                return False
        _guarded(locks.lapse)  # first: what it lets go on is asked in this round
        for part in (send_outbox, ring_again, wake, expire):
            part()
    # The rest takes its own locks, and must not hold up the doorbells.
    jobs = (rehearsing.all_open, advance_waiting.all_waiting, seal_record, tidy, routing.keep_in_step)
    for job in jobs:
        _guarded(job)
    return True


def _guarded(job: Callable[[], object]) -> None:
    try:
        job()
    except Exception as error:  # one part must not stop the others
        log.warning("A part of the safety round failed: %s: %s", job.__name__, error)


def send_outbox() -> None:
    """Doorbells that nobody answered: ring again, and look at them later."""
    late = Outbox.objects.filter(due_at__lt=Now() - timedelta(seconds=2)).order_by("due_at")[:BATCH]
    for row in late.select_for_update(skip_locked=True):
        ring_now(row.promotion_id)
        Outbox.objects.filter(pk=row.pk).update(due_at=Now() + timedelta(seconds=settings.RING_AGAIN))
    finished = Outbox.objects.exclude(promotion__status__in=statuses.OPEN).exclude(promotion__cleanup="due")
    finished.delete()


def ring_again() -> None:
    """Queued rows that nobody took, leases that ran out or were handed back, clean-up that is due.

    Of the queued ones only the first of each environment: the others could not start, and would crowd it out.
    """
    old = Now() - timedelta(seconds=settings.RING_AGAIN)
    lane = F("emergency_at").asc(nulls_last=True)
    queued = Promotion.objects.filter(status="queued").order_by("environment_id", lane, "id").distinct("environment_id")
    first = queued.values_list("pk", "queued_at", "environment_id")
    late = Promotion.objects.filter(pk__in=[pk for pk, _, _ in first], queued_at__lt=old)
    free = Q(lease_until__lt=Now()) | Q(lease_until=None)
    due = Q(wake_at=None) | Q(wake_at__lte=Now())
    orphaned = Promotion.objects.filter(Q(status__in=statuses.ACTIVE) | Q(cleanup="due"), free, due)
    for rows in (orphaned, late):
        for pk in rows.order_by("id").values_list("pk", flat=True)[:BATCH]:
            ring_now(pk)


def _woken_by_time() -> Q:
    return Q(wake_at__isnull=False) & (Q(status__in=statuses.OPEN) | Q(cleanup="due"))


def wake() -> None:
    """Waiting ones whose time has come are asked again."""
    due = Promotion.objects.filter(status="waiting", wake_at__lte=Now()).values_list("pk", flat=True)
    for pk in due[:BATCH]:
        transaction.on_commit(partial(advance_waiting.one, pk), robust=True)


def expire() -> None:
    """Deadlines that passed: silence is never a yes."""
    late = Q(not_after__lt=Now()) | Q(status="waiting", approve_before__lt=Now())
    for promotion in Promotion.objects.filter(late, status__in=statuses.PENDING).order_by("id")[:BATCH]:
        overdue = (
            "Its latest start passed."
            if promotion.not_after and promotion.not_after < now()
            else ("Nobody decided in time. Ask for it again when it is wanted.")
        )
        try:
            advance(promotion, "expired", actor=Actor.system(), before=(promotion.status,), reason=overdue)
        except Conflict:
            continue


def seal_record() -> None:
    """Link the events that were committed since the last round."""
    chain.seal(5000)


def tidy() -> None:
    """Answers to repeated requests are kept for a day; heartbeats for an hour."""
    IdempotencyKey.objects.filter(created_at__lt=Now() - timedelta(hours=24)).delete()
    Heartbeat.objects.filter(at__lt=Now() - timedelta(hours=1)).delete()
    storage.clean_staging(older_than=timedelta(hours=24))


def beat(kind: str, slots: int = 0) -> None:
    """Say that this process lives, and how many promotions it can work at once."""
    name = f"{kind}:{socket.gethostname()[:60]}:{os.getpid()}"
    Heartbeat.objects.update_or_create(name=name, defaults={"kind": kind, "at": Now(), "detail": {"slots": slots}})
