"""The hand on a promotion: claimed by one conditional update, held by a lease, fenced by an epoch."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any

from django.conf import settings
from django.db import close_old_connections, connections, transaction
from django.db.models import Exists, F, Q, QuerySet
from django.db.models.functions import Now

from phases.models import Environment
from releases import formats, statuses
from releases.engine import start
from releases.models import Outbox, Promotion
from releases.queries import maintenance, turns
from releases.transitions import CHANGING, advance, announce
from relman.actors import Actor

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """A promotion in hand: every later write carries epoch and owner."""

    promotion: Promotion
    epoch: int
    owner: str
    taken_over: bool
    starts: bool = False
    """It was queued until now: nothing of it has begun."""

    @property
    def holds(self) -> dict[str, Any]:
        """The condition that proves the hand is still ours."""
        return {"epoch": self.epoch, "lease_owner": self.owner}


def owner_name() -> str:
    """Unique for one visit: host, process, and a random part."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def claim(promotion_id: int, *, environment: int | None = None, patient: bool = True) -> Claim | None:
    """Take a queued promotion, one whose lease ran out or was handed back, or one with clean-up due.

    None: nothing to do here (somebody else has it, it waits, its time has not come, or maintenance holds it).
    `environment` spares a look; without `patient`, an environment that somebody else has locked is left to them.
    """
    with transaction.atomic(savepoint=False):
        place = _lock(_place(promotion_id) if environment is None else environment, patient)
        if place is None:
            return None
        maintenance.wait_for_beginning()
        promotion = _take(promotion_id, place)
        if promotion is None or _neighbour(promotion):
            return None
        Outbox.objects.filter(promotion=promotion).delete()
        if promotion.status == "queued" and not start.may_start(promotion):
            return None
        return _hold(promotion, place)


def _place(promotion_id: int) -> int | None:
    """A look without a lock: most of what is rung twice ends here."""
    claimable = Promotion.objects.filter(_claimable(), pk=promotion_id).order_by()
    return claimable.values_list("environment_id", flat=True).first()


def _claimable() -> Q:
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    due = Q(wake_at=None) | Q(wake_at__lte=Now())
    queued = Q(status="queued") & ~Exists(maintenance.open_ones())
    known = Q(plan_version__lte=formats.PLAN)  # a newer plan is for newer workers: the sweep rings until one hears it
    return free & due & known & (queued | Q(status__in=statuses.ACTIVE) | Q(cleanup="due"))


def _lock(environment: int | None, patient: bool) -> Environment | None:
    """The environment, locked, with what a visit needs to know of its place."""
    rows = Environment.objects.select_for_update(of=("self",), skip_locked=not patient)
    return rows.select_related("application__pipeline", "phase").filter(pk=environment).first() if environment else None


def _take(promotion_id: int, environment: Environment) -> Promotion | None:
    """The promotion, locked. Its environment is the one in hand, and so is its release's application: no joins."""
    rows = Promotion.objects.select_for_update(of=("self",)).select_related("release")
    claimable = rows.prefetch_related("release__artifacts").filter(_claimable(), environment=environment)
    promotion = claimable.filter(pk=promotion_id).first()
    if promotion is not None:
        promotion.environment = environment
        promotion.release.application = environment.application
    return promotion


def _neighbour(promotion: Promotion) -> bool:
    """Another promotion has this environment in hand, or comes first, or has made this clean-up its own."""
    others = Promotion.objects.filter(environment_id=promotion.environment_id).exclude(pk=promotion.pk).order_by()
    busy = Q(status__in=statuses.ACTIVE), Q(lease_until__gte=Now())
    if promotion.status == "queued":
        return _any(others, *busy, turns.before(promotion))
    # Nothing is cleared away before a person has said what is true of what came after.
    if _any(others, *busy, Q(status="errored", epoch__gt=promotion.epoch)):
        return True
    if promotion.status != "succeeded":
        return False
    later = others.filter(epoch__gt=promotion.epoch, status="succeeded").order_by("epoch").first()
    if later is not None:
        _leave_to(later, promotion)
    return later is not None


def _leave_to(later: Promotion, promotion: Promotion) -> None:
    """Whoever was later retires everything before itself, this promotion's leftovers included; its page says so."""
    left = promotion.steps.filter(when="after", status__in=("pending", "running"))
    left.update(status="skipped", detail=f"Left to promotion {later.pk}, which came after.", finished_at=Now())
    Promotion.objects.filter(pk=promotion.pk).update(cleanup="done", revision=F("revision") + 1)
    announce(promotion)


def _any(rows: QuerySet[Promotion], *ways: Q) -> bool:
    """Whether there is one of any of these. Each way has its own index; joined by OR, all that ever ended is read."""
    first, *more = (rows.filter(way).values("pk")[:1] for way in ways)
    return first.union(*more, all=True).exists()


def _hold(promotion: Promotion, environment: Environment) -> Claim:
    """Raise the environment's epoch and take the lease; a queued one starts."""
    owner, epoch = owner_name(), environment.epoch + 1
    starts = promotion.status == "queued"
    served = {"served_at": Now()} if starts else {}
    Environment.objects.filter(pk=environment.pk).update(epoch=epoch, **served)
    taken_over = promotion.status in statuses.ACTIVE and promotion.lease_until is not None
    hand: dict[str, Any] = {"epoch": epoch, "lease_owner": owner, "lease_until": Now() + _lease(), "wake_at": None}
    if starts:
        advance(promotion, "running", actor=Actor.system(), before=("queued",), **hand)
    else:
        Promotion.objects.filter(pk=promotion.pk).update(takeovers=F("takeovers") + int(taken_over), **hand)
        promotion.refresh_from_db(fields=CHANGING)
    return Claim(promotion, epoch, owner, taken_over, starts)


def _lease() -> timedelta:
    return timedelta(seconds=settings.LEASE)


def hand_back(claim_: Claim, *, wake_in: float | None = None) -> bool:
    """Free the lease: at once for another worker, or until `wake_in` seconds have passed. False: it was lost."""
    wake = None if wake_in is None else Now() + timedelta(seconds=wake_in)
    changed = Promotion.objects.filter(pk=claim_.promotion.pk, **claim_.holds).update(
        lease_until=None, lease_owner="", wake_at=wake, revision=F("revision") + 1
    )
    announce(claim_.promotion)
    return bool(changed)


class Keeper:
    """Renews a lease from a thread with a connection of its own, and hears an abort meanwhile."""

    def __init__(self, claim_: Claim) -> None:
        self.claim = claim_
        self.lost = False
        self.abort = claim_.promotion.abort_reason
        self._pulse = time.monotonic()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"lease-{claim_.promotion.pk}", daemon=True)

    def __enter__(self) -> Keeper:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join(timeout=5)
        self.lost = True  # a step that still runs in a thread of its own, because the visit broke off, stops now

    def pulse(self) -> None:
        """The visit gets on. Without a sign for two leases it hangs, and its lease is not renewed any more."""
        self._pulse = time.monotonic()

    def _run(self) -> None:
        """Look for an abort each second, renew each third of the lease. A lost row ends it."""
        rounds = 0
        try:
            while not self._end.wait(1.0):
                rounds += 1
                if time.monotonic() - self._pulse > 2 * settings.LEASE:
                    log.error("The visit to promotion %s hangs; somebody else may take over.", self.claim.promotion.pk)
                    self.lost = True
                    return
                self._look(renew=rounds % max(1, settings.LEASE // 3) == 0)
                if self.lost:
                    return
        finally:
            connections.close_all()

    def _look(self, *, renew: bool) -> None:
        row = Promotion.objects.filter(pk=self.claim.promotion.pk, **self.claim.holds)
        try:
            if renew:
                self.lost = not row.update(lease_until=Now() + _lease())
            found = row.values_list("abort_reason", flat=True).first()
            self.lost = found is None
            self.abort = found or ""
        except Exception as error:  # the database may be away for a moment; the lease has 30 s
            log.warning("The lease of promotion %s could not be renewed: %s", self.claim.promotion.pk, error)
            close_old_connections()
