"""What a person does about drift: bring back what the record says, or accept what runs as the record."""

from __future__ import annotations

from phases import permissions
from phases.models import Environment
from releases import reality
from releases.models import Promotion, Release
from releases.placing import Wish, place
from releases.queries.drift import build_of
from releases.queries.lookups import live_of
from relman.actors import Actor
from relman.audit import record
from relman.audit.recording import recorded
from relman.errors import Conflict, Invalid


@recorded("environment.reverted")
def revert(environment: Environment, *, actor: Actor, reason: str) -> Promotion:
    """End drift by bringing what the record says once more: its release, with the configuration it ran with.

    A redeploy without approvals: it is what was approved. Conflict when nothing differs from the record.
    """
    found = _drift(environment, actor, reason)
    live = live_of(environment)
    if live is None:
        raise Conflict(f"Nothing is live in {environment.phase}, so there is nothing to bring back.")
    wish = Wish(reason, rollback=True, configuration="then")
    promotion = place(live.release, environment, wish, actor=actor)
    _tell("environment.reverted", environment, promotion, found, actor=actor, reason=reason)
    return promotion


@recorded("environment.adopted")
def adopt(environment: Environment, *, actor: Actor, reason: str) -> Promotion:
    """Accept what runs as the record, where it is a release of this application that RelMan can go on running.

    A promotion that starts nothing: it looks twice that this release really runs, and takes it over. It meets the
    gates of any other; approvals too, where this release never ran before. Conflict with the reason where it cannot.
    """
    found = _drift(environment, actor, reason)
    build = build_of(environment, found)
    refused = reality.why_not(found, build, environment.instances)
    if build is None or refused:
        raise Conflict(f"It cannot be adopted. {refused}", code="cannot_adopt")
    release = Release.objects.get(application=environment.application_id, version=build.version)
    wish = Wish(reason, allow_lower=True, adopt=True, configuration="then")
    promotion = place(release, environment, wish, actor=actor)
    _tell("environment.adopted", environment, promotion, found, actor=actor, reason=reason)
    return promotion


def _drift(environment: Environment, actor: Actor, reason: str) -> reality.Drift:
    permissions.require(actor, "roll_back", environment)
    if not reason.strip():
        raise Invalid("Say why.", fields={"reason": ["Say why."]})
    environment.refresh_from_db(fields=["drift", "drift_since", "doubt"])
    found = reality.of_json(environment.drift)
    if found is None:
        raise Conflict(f"What runs in {environment.phase} is what the record says.", code="no_drift")
    return found


def _tell(
    verb: str, environment: Environment, promotion: Promotion, found: reality.Drift, *, actor: Actor, reason: str
) -> None:
    record(
        verb,
        actor=actor,
        subject=environment,
        promotion=promotion,
        before=found.as_json(),
        after={"version": promotion.release.version, "digest": promotion.digest},
        detail=reason,
    )
