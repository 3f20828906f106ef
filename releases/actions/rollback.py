"""The way back: a promotion of a release that succeeded here before, with its own, shorter gate set."""

from __future__ import annotations

from phases import permissions
from phases.models import Environment
from releases.actions.emergency import allow
from releases.models import Promotion, Release
from releases.placing import Wish, place
from releases.queries.way_back import way_back
from relman.actors import Actor
from relman.audit.recording import recorded
from relman.errors import Conflict, Invalid


@recorded("promotion.rolled_back")
def roll_back(
    environment: Environment,
    *,
    actor: Actor,
    reason: str,
    release: Release | None = None,
    configuration: str = "then",
    emergency: bool = False,
) -> Promotion:
    """Return to a release that succeeded here; without one named, to the last good one before what is live.

    `configuration`: then (as it ran), or today. One reason; approvals are not asked for.
    `emergency`: to the front of the queue, for the same reason; needs *break glass*.
    """
    permissions.require(actor, "roll_back", environment)
    if not reason.strip():
        raise Invalid("A rollback needs a reason.", fields={"reason": ["Say why."]})
    if configuration not in ("then", "today"):
        raise Invalid("Choose the configuration.", fields={"configuration": ["Say then or today."]})
    lane = allow(environment, actor=actor, reason=reason) if emergency else ""
    chosen = release or way_back(environment).release
    if chosen is None:
        raise Conflict(f"No other release has succeeded in {environment.phase} yet, so there is no way back.")
    if not Promotion.objects.filter(environment=environment, release=chosen, status="succeeded").exists():
        raise Conflict(
            f"{chosen.version} has never run in {environment.phase}. Roll back to one that did, or promote it.",
            code="never_ran_here",
        )
    wish = Wish(reason, rollback=True, configuration=configuration, emergency=lane)
    return place(chosen, environment, wish, actor=actor)
