"""How a promotion ends: its status, its clean-up, and whoever waited for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from phases.models import Environment
from releases.dispatch import ring
from releases.engine import drift, rehearsing, rolling_back
from releases.engine.lease import Claim
from releases.models import Promotion, Step
from releases.transitions import advance, announce
from relman.actors import Actor

SECTION = {"succeeded": "after", "failed": "undo", "aborted": "undo"}
"""Which clean-up steps follow which end. After `errored` a person speaks first."""
LOOKS = ("verify", "observe")
"""Kinds of steps that look at what runs."""


def end(claim: Claim, status: str, reason: str, steps: Iterable[Step] | None = None) -> None:
    """End an active promotion; its clean-up goes on under the same lease. Conflict: lost, or aborted before this.

    `steps` are its steps as they are now, for whoever has them at hand.
    """
    promotion = claim.promotion
    unverified = status == "failed" and promotion.status == "verifying"
    # Both parts of a rehearsal are brought as they ran; others need not look whether they belong to one.
    rehearsed = promotion.snapshot_of == "then"
    holds = {**claim.holds, "abort_reason": ""} if status == "succeeded" else claim.holds
    known = list(promotion.steps.all() if steps is None else steps)
    due = any(one.when == SECTION.get(status) and one.status in ("pending", "running") for one in known)
    with transaction.atomic(savepoint=False):
        if unverified or rehearsed:
            rolling_back.lock(promotion)
        advance(
            promotion,
            status,
            actor=Actor.system(),
            before=(promotion.status,),
            holds=holds,
            reason=reason[:2000],
            cleanup="due" if due else "none",
            **_keep(claim, due),
        )
        if status == "succeeded":
            _is_the_record(promotion, any(one.kind in LOOKS and one.status == "succeeded" for one in known))
        if unverified:
            rolling_back.answer(promotion)
        if rehearsed:
            rehearsing.go_on(promotion)


def _is_the_record(promotion: Promotion, verified: bool) -> None:
    """Drift from what was live before is over; the verification that just passed is the newest look."""
    drift.settle(promotion)
    if not verified:
        return
    seen = {"health": "healthy", "health_detail": "Verified when it was brought.", "health_at": Now()}
    Environment.objects.filter(pk=promotion.environment_id).update(**seen, health_since=Now())
    if promotion.environment.health != "healthy":
        drift.remember(promotion.environment, "healthy", f"{promotion.release.version} was brought and verified.")


def _keep(claim: Claim, due: bool) -> dict[str, Any]:
    if not due:
        return {}
    return {"lease_until": Now() + timedelta(seconds=settings.LEASE), "lease_owner": claim.owner}


def cleaned(claim: Claim) -> None:
    """The clean-up is done: free the lease, and so let the next one in."""
    with transaction.atomic():
        Promotion.objects.filter(pk=claim.promotion.pk, **claim.holds).update(
            cleanup="done", lease_until=None, lease_owner="", revision=F("revision") + 1
        )
        announce(claim.promotion)


def ring_next(promotion: Promotion) -> None:
    """Wake whoever is next in line for this environment: for verbs, which visit nobody themselves."""
    waiting = Promotion.objects.filter(environment_id=promotion.environment_id, status="queued")
    following = waiting.order_by(F("emergency_at").asc(nulls_last=True), "id").first()
    if following is not None:
        ring(following)
