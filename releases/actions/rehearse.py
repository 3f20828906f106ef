"""Practising a rollback before the day it is needed: really back, and really forward again."""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from phases import permissions
from phases.models import Environment
from releases.engine.rehearsing import RIGHTS
from releases.models import Rehearsal
from releases.placing import Wish, place
from releases.queries.lookups import live_of
from releases.queries.offers import verdicts_of
from releases.queries.rehearse import obstacles
from releases.queries.way_back import way_back
from relman.actors import Actor
from relman.audit import record
from relman.audit.recording import recorded
from relman.errors import Conflict, Refused


@recorded("rehearsal.requested")
def rehearse(environment: Environment, *, actor: Actor, comment: str = "") -> Rehearsal:
    """Roll an environment back to the release before, as it ran, and then bring what was live again.

    Needs *roll back* and *promote* there. Conflict with every reason when the way back is not ready, in a pipeline's
    last phase, and when something moves there; Refused when a gate does not let the way back start at once.
    """
    for right in RIGHTS:
        permissions.require(actor, right, environment)
    with transaction.atomic():
        Environment.objects.select_for_update(of=("self",)).filter(pk=environment.pk).first()
        live, back = live_of(environment), way_back(environment)
        problems = obstacles(environment, live, back)
        if problems or live is None or back.release is None:
            raise Conflict(" ".join(problems), code="not_ready", problems=problems)
        words = comment or f"Rehearsal of a rollback from {live.release.version} to {back.release.version}."
        wish = Wish(words, rollback=True, configuration="then", rehearsal=True)
        promotion = place(back.release, environment, wish, actor=actor)
        if promotion.status != "queued":
            verdicts = verdicts_of(promotion, actor)
            held = next((one for one in verdicts if one.state == "waiting"), None)
            said = f" The gate “{held.gate}” holds it: {held.reason}" if held else ""
            raise Refused(f"A rehearsal starts at once or not at all.{said}", verdicts=verdicts)
        made = Rehearsal.objects.create(
            environment=environment,
            leaves=live.release,
            to=back.release,
            back=promotion,
            requested_by=actor.user,
            requested_at=Now(),
        )
        record("rehearsal.requested", actor=actor, subject=environment, promotion=promotion, detail=words)
    made.refresh_from_db()
    return made
