"""Ends that nobody planned: a target that is ahead of this database, and a mistake of RelMan's own."""

from __future__ import annotations

import logging
from contextlib import suppress

from phases.drivers.base import Fenced
from phases.models import Environment
from releases import statuses
from releases.engine import ending, lease
from releases.models import Promotion
from releases.transitions import advance
from relman.actors import Actor
from relman.errors import Conflict

log = logging.getLogger(__name__)
LATER = 60.0
"""Seconds until clean-up that broke off is tried again."""


def refused(claim: lease.Claim, error: Fenced) -> None:
    """The target knows a higher epoch. Mostly another worker took over; if nobody did, this database was restored.

    Then nobody knows what the target runs: a person decides, and the environment's epoch catches up with the target's.
    """
    if error.seen <= claim.epoch or not _ours(claim):
        log.warning("Promotion %s was taken over, this visit ends: %s", claim.promotion.pk, error)
        return
    Environment.objects.filter(pk=claim.promotion.environment_id, epoch__lt=error.seen).update(epoch=error.seen)
    if claim.promotion.is_active:
        words = "The target has seen promotions that this database does not know: was an older copy restored?"
        ending.end(claim, "errored", f"{words} Look at the target and say what is true.")


def broke_off(claim: lease.Claim, error: Exception) -> None:
    """RelMan itself made a mistake: it must not be repeated for ever, and a person has to know."""
    log.error("The visit to promotion %s broke off.", claim.promotion.pk, exc_info=error)
    if not _ours(claim):
        return
    if claim.promotion.is_active:
        words = f"RelMan broke off with a mistake of its own ({type(error).__name__}); its log says more."
        ending.end(claim, "errored", f"{words} Look at the target and say what is true.")
    else:
        lease.hand_back(claim, wake_in=LATER)


def not_started(promotion_id: int, error: Exception) -> None:
    """Whether this one may start could not be asked: it leaves the line, where it would come first again and again.

    It waits; each safety round asks again, so that it comes back by itself once the cause is gone.
    """
    log.error("Promotion %s could not be started.", promotion_id, exc_info=error)
    promotion = Promotion.objects.select_related("release", "environment__application").filter(pk=promotion_id).first()
    if promotion is None or promotion.status != "queued":
        return
    words = f"RelMan could not ask its gates ({type(error).__name__}), and asks again; its log says more."
    with suppress(Conflict):  # somebody was quicker, and then it is not in the line any more
        advance(promotion, "waiting", actor=Actor.system(), before=("queued",), detail=words, reason=words)


def _ours(claim: lease.Claim) -> bool:
    """Whether the promotion is in our hand still, whatever became of it; reads its status anew."""
    claim.promotion.refresh_from_db(fields=["status", "cleanup"])
    known = (*statuses.ACTIVE, "succeeded", "failed", "aborted")
    return Promotion.objects.filter(pk=claim.promotion.pk, status__in=known, **claim.holds).exists()
