"""RelMan's own answer to a failed verification, where the phase asks for it: once, and never to a rollback.

Everything here happens in the transaction that ends the promotion, with its environment locked: a worker that is
killed leaves either both or neither.
"""

from __future__ import annotations

from django.db import Error as DatabaseGone
from django.db import transaction

from phases.models import Environment, Phase
from releases import statuses
from releases.models import Promotion
from releases.placing import Wish, place
from releases.queries.holds import held
from releases.queries.lookups import live_of
from relman.actors import Actor
from relman.audit import record


def wanted(promotion: Promotion) -> bool:
    """Whether the phase asks for it, as it is set now."""
    return Phase.objects.filter(pk=promotion.environment.phase_id, auto_rollback=True).exists()


def answer(promotion: Promotion) -> None:
    """Go back after a failed verification, or say why not; both records tell. The environment is locked."""
    if promotion.kind == "adopt" or not wanted(promotion):  # adopting brings nothing
        return
    live = live_of(promotion.environment)
    words = _why_not(promotion, live)
    if live is not None and not words:
        words = _go_back(promotion, live)
    promotion.reason = f"{promotion.reason} {words}"[-2000:]
    Promotion.objects.filter(pk=promotion.pk).update(reason=promotion.reason)
    record("promotion.answered", actor=Actor.system(), subject=promotion, promotion=promotion, detail=words)


def _why_not(promotion: Promotion, live: Promotion | None) -> str:
    """Why RelMan leaves it to a person; empty: it goes back."""
    if promotion.kind == "rollback":
        return "It was a rollback itself, and RelMan answers none with another: a person decides."
    if live is None:
        return "Nothing ran here before, so there is nothing to roll back to."
    if not lasting(promotion):
        return f"{live.release.version} served all along and nothing lasting was done, so nothing is rolled back."
    already = Promotion.objects.filter(
        environment=promotion.environment_id, rolls_back__isnull=False, status__in=statuses.OPEN
    ).first()
    if already:
        return f"Promotion {already.pk} goes back already."
    hold = held(live.release, promotion.environment.phase)
    if hold:
        return (
            f"It is not rolled back: {live.release.version} is held here since promotion {hold.rollback_id} left it, "
            "so a person decides."
        )
    return ""


def lasting(promotion: Promotion) -> list[str]:
    """Names of the steps whose effects the clean-up does not take back; a route that was moved is one."""
    kept = {number for number, spec in enumerate(promotion.plan, 1) if spec.get("lasting")}
    begun = promotion.steps.filter(attempts__gt=0).order_by("number")
    return [one.name for one in begun if one.number in kept or (one.kind == "switch" and one.status == "failed")]


def _go_back(promotion: Promotion, live: Promotion) -> str:
    """Ask for what was live before, as it ran."""
    environment, version = promotion.environment, live.release.version
    comment = f"{promotion.release.version} failed its verification (promotion {promotion.pk}). {promotion.reason}"
    wish = Wish(comment[:5000], rollback=True, configuration="then", rolls_back=promotion)
    try:
        with transaction.atomic():
            made = place(live.release, environment, wish, actor=Actor.system())
    except DatabaseGone:
        raise
    except Exception as error:  # a plan that cannot be made must not spoil the end that is being written
        return f"RelMan could not roll it back to {version}: {error}"
    return f"RelMan rolls it back to {version} by itself (promotion {made.pk})."


def lock(promotion: Promotion) -> None:
    """Environments are locked before promotions, everywhere."""
    Environment.objects.select_for_update(of=("self",)).filter(pk=promotion.environment_id).first()
