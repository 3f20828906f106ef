"""Letting a release that was rolled back come again by itself."""

from __future__ import annotations

from django.db.models.functions import Now

from phases import permissions
from phases.models import Phase
from releases.models import Hold, Release
from releases.queries.holding import standing
from relman.actors import Actor
from relman.audit import record
from relman.audit.recording import recorded
from relman.errors import Conflict
from relman.live import publish_on_commit


@recorded("release.hold_lifted")
def lift_hold(release: Release, *, phase: Phase, actor: Actor, comment: str = "") -> Hold:
    """End the hold that a rollback put on this release in a phase. Needs *promote* there. Conflict: it is not held."""
    permissions.require(actor, "promote", phase, release.application)
    hold = standing().select_for_update(of=("self",)).filter(release=release, environment__phase=phase).first()
    if hold is None:
        raise Conflict(f"{release.version} is not held in {phase.name}.", code="wrong_state")
    ended = {"lifted_at": Now(), "lifted_by": actor.user, "lifted_reason": comment[:1000]}
    Hold.objects.filter(pk=hold.pk).update(**ended)
    hold.refresh_from_db()
    record(
        "release.hold_lifted",
        actor=actor,
        subject=release,
        release=release,
        phase=phase,
        before={"held_since": hold.at, "by": hold.by_id, "promotion": hold.rollback_id},
        detail=comment or f"{release.version} may come to {phase.name} by itself again.",
    )
    publish_on_commit(f"application:{release.application.slug}")
    return hold
