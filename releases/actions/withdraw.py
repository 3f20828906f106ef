"""Taking a release out of circulation."""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from phases import permissions
from releases import statuses
from releases.models import Promotion, Release
from releases.transitions import advance
from relman.actors import Actor
from relman.audit import record
from relman.audit.recording import recorded
from relman.errors import Conflict, Invalid
from relman.live import publish_on_commit


@recorded("release.yanked")
def yank(release: Release, *, actor: Actor, reason: str) -> Release:
    """No new promotions of it; what was asked for or runs goes on."""
    return _withdraw(release, "yanked", actor, reason)


@recorded("release.quarantined")
def quarantine(release: Release, *, actor: Actor, reason: str) -> Release:
    """No new promotions, and what waits or is queued ends."""
    with transaction.atomic():
        _withdraw(release, "quarantined", actor, reason)
        pending = Promotion.objects.filter(release=release, status__in=statuses.PENDING)
        for promotion in pending.select_related("environment__application", "environment__phase", "release"):
            why = f"{release.version} was quarantined: {reason}"[:2000]
            advance(promotion, "cancelled", actor=actor, before=statuses.PENDING, reason=why)
    return release


def _withdraw(release: Release, how: str, actor: Actor, reason: str) -> Release:
    application = release.application
    permissions.require(actor, "roll_back", permissions.last_phase(application.pipeline), application)
    if not reason.strip():
        raise Invalid("Withdrawing a release needs a reason.", fields={"reason": ["Say why."]})
    with transaction.atomic():
        was = Release.objects.select_for_update(of=("self",)).get(pk=release.pk).withdrawn
        if was in (how, "quarantined"):
            raise Conflict(f"{release} is {was} already.", code="wrong_state", state=was)
        Release.objects.filter(pk=release.pk).update(
            withdrawn=how, withdrawn_reason=reason[:1000], withdrawn_by=actor.user, withdrawn_at=Now()
        )
        release.refresh_from_db(fields=["withdrawn", "withdrawn_reason", "withdrawn_by", "withdrawn_at"])
        record(
            f"release.{how}",
            actor=actor,
            subject=release,
            release=release,
            detail=reason,
            before={"withdrawn": was},
            after={"withdrawn": how},
        )
        publish_on_commit(f"application:{application.slug}")
    return release
