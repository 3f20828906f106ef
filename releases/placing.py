"""Writing a promotion down: what every verb that asks for one, and the engine, have in common."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from phases import configuration
from phases.drivers.base import DriverError
from phases.models import Environment
from releases import gates, guards, statuses
from releases.dispatch import ring
from releases.engine import plan
from releases.models import Hold, Promotion, Release
from releases.queries.facts import facts_of
from releases.queries.holding import standing
from releases.queries.lookups import live_of
from releases.queries.offers import kind_of, preview
from releases.transitions import advance, announce
from relman.actors import Actor
from relman.audit import record
from relman.clock import must_fit, now
from relman.errors import Invalid, NotFound, Refused

LONGEST_COMMENT = 10_000
LATE = timedelta(days=1)
"""An earliest start that lies further back is a slip of the pen: the year, say. It would start at once."""


@dataclass(frozen=True)
class Wish:
    """What is asked for beside release and environment."""

    comment: str = ""
    not_before: datetime | None = None
    not_after: datetime | None = None
    allow_lower: bool = False
    accept_one_way: bool = False
    retry_of: Promotion | None = None
    rollback: bool = False
    adopt: bool = False
    configuration: str = "today"
    emergency: str = ""
    """Why it goes to the front of the queue; empty: it does not."""
    rolls_back: Promotion | None = None
    """The failed promotion that RelMan answers by itself."""
    rehearsal: bool = False
    """A rollback that leaves the release for a moment only, so that nothing is held, or the way to it again, as it ran:
    like any return to what succeeded here as it ran, neither asks for approvals."""


def place(release: Release, environment: Environment, wish: Wish, *, actor: Actor) -> Promotion:
    """Write the promotion, ask the gates, and queue it when nothing holds it. The right was checked by the verb."""
    _sensible(release, environment, wish)
    with transaction.atomic():
        locked = (
            Environment.objects.select_for_update(of=("self",))
            .select_related("application__pipeline", "phase__pipeline")
            .get(pk=environment.pk)
        )
        guards.need(release.pk)
        try:
            promotion = _draft(release, locked, wish, actor)
        except DriverError as error:
            raise _no_plan(release, locked, wish, actor, str(error)) from error
        promotion.save()
        plan.write_steps(promotion)
        known = facts_of(promotion, actor)
        verdicts = gates.evaluate(known)
        if gates.state_of(verdicts) == "failed":
            # There will be no promotion to look at.
            verdicts = gates.evaluate(replace(known, link_approve=""))
            raise Refused(gates.refusal(verdicts), verdicts=verdicts)
        _recorded(promotion, wish, actor)
        if wish.rolls_back is None:
            _supersede(promotion, actor)  # what people asked for goes before what RelMan asks for by itself
        if promotion.kind == "rollback" and not wish.rehearsal:
            _hold(promotion, wish, actor)
        _go(promotion, verdicts)
    promotion.refresh_from_db()
    return promotion


def _recorded(promotion: Promotion, wish: Wish, actor: Actor) -> None:
    """That it was asked for, and what was taken on with it."""
    about: dict[str, Any] = {"actor": actor, "subject": promotion, "promotion": promotion}
    after = {"kind": promotion.kind, "seal": promotion.seal}
    record("promotion.requested", **about, after=after, detail=wish.comment)
    if wish.accept_one_way:
        record("promotion.one_way_accepted", **about, detail=wish.comment)
    if wish.emergency:
        record("promotion.expedited", **about, detail=wish.emergency)


def _no_plan(release: Release, environment: Environment, wish: Wish, actor: Actor, why: str) -> Refused:
    """Size or settings allow no plan: what every gate says, and the gate *environment* that."""
    asked = preview(release, environment, actor=actor, allow_lower=wish.allow_lower, rollback=wish.rollback)
    where = next((one.link for one in asked.verdicts if one.gate == "environment"), "")
    said = gates.Verdict("environment", "failed", why, [], None, where)
    ready = {"environment": ("passed", "waiting")}
    verdicts = [said if one.state in ready.get(one.gate, ()) else one for one in asked.verdicts]
    return Refused(gates.refusal(verdicts), verdicts=verdicts)


def _sensible(release: Release, environment: Environment, wish: Wish) -> None:
    if release.application_id != environment.application_id:
        raise NotFound()
    must_fit(not_before=wish.not_before, not_after=wish.not_after)
    fields: dict[str, list[str]] = {}
    if len(wish.comment) > LONGEST_COMMENT:
        fields["comment"] = [f"At most {LONGEST_COMMENT} characters."]
    if wish.not_before and wish.not_before < now() - LATE:
        fields["not_before"] = ["That day is over. Leave the time empty to start as soon as nothing holds it."]
    if wish.not_before and wish.not_after and wish.not_after <= wish.not_before:
        fields["not_after"] = ["The latest start lies before the earliest."]
    if wish.not_after and wish.not_after <= now():
        fields["not_after"] = ["The latest start has passed."]
    if fields:
        raise Invalid("Nothing was asked for: " + " ".join(fields[next(iter(fields))]), fields=fields)


def _draft(release: Release, environment: Environment, wish: Wish, actor: Actor) -> Promotion:
    """The row with everything that is frozen at request."""
    live = live_of(environment)
    promotion = Promotion(
        environment=environment,
        release=release,
        kind=_kind(release, live, wish),
        comment=wish.comment,
        requested_by=actor.user,
        requested_at=Now(),
        not_before=wish.not_before,
        not_after=wish.not_after,
        allow_lower=wish.allow_lower,
        accept_one_way=wish.accept_one_way,
        retry_of=wish.retry_of,
        rolls_back=wish.rolls_back,
        replaces=live.release if live else None,
        snapshot_of=wish.configuration,
        emergency_at=Now() if wish.emergency else None,
        emergency_reason=wish.emergency,
        emergency_by=actor.user if wish.emergency else None,
    )
    snapshot = live.snapshot if wish.adopt and live else _snapshot(release, environment, wish)
    plan.freeze(promotion, plan.build(release, environment, snapshot=snapshot, kind=promotion.kind))
    # A bad night needs one click and one reason. What is live with today's configuration is no way back.
    back = wish.rollback and (promotion.kind == "rollback" or wish.configuration == "then")
    if back or wish.rehearsal or (wish.adopt and _ran_here(release, environment)):
        promotion.rules = []
    if promotion.rules:
        hours = min(rule["deadline_hours"] for rule in promotion.rules)
        promotion.approve_before = Now() + timedelta(hours=hours)
    return promotion


def _ran_here(release: Release, environment: Environment) -> bool:
    return Promotion.objects.filter(environment=environment, release=release, status="succeeded").exists()


def _kind(release: Release, live: Promotion | None, wish: Wish) -> str:
    """Computed from what is live, but for what RelMan answers and what is there already."""
    if wish.adopt or wish.rolls_back:
        return "adopt" if wish.adopt else "rollback"
    return kind_of(release, live, rollback=wish.rollback)


def _snapshot(release: Release, environment: Environment, wish: Wish) -> dict[str, Any]:
    """Today's configuration, or the one that the release ran with here last."""
    if wish.configuration == "then":
        ran = Promotion.objects.filter(environment=environment, release=release, status="succeeded")
        last = ran.order_by("-finished_at").first()
        if last is not None:
            then: dict[str, Any] = last.snapshot
            return then
    return configuration.snapshot(environment)


def _hold(promotion: Promotion, wish: Wish, actor: Actor) -> None:
    """What a rollback leaves does not come back by itself: until a person lifts it, nothing automatic brings it."""
    left = wish.rolls_back.release if wish.rolls_back else promotion.replaces
    if left is None or left.pk == promotion.release_id:
        return
    here: dict[str, Any] = {"release": left, "environment": promotion.environment, "lifted_at": None}
    if standing().filter(**here).exists():
        return  # it is held already, and stays so although this rollback be cancelled
    said = {"rollback": promotion, "reason": wish.comment[:1000], "by": actor.user, "at": Now()}
    Hold.objects.update_or_create(defaults=said, **here)
    record("release.held", actor=actor, subject=left, release=left, promotion=promotion, detail=said["reason"])


def _supersede(promotion: Promotion, actor: Actor) -> None:
    """A newer request takes the place of older ones that have not started, unless the phase runs every one."""
    if promotion.environment.phase.in_order or promotion.kind == "adopt":  # nothing new comes with what runs already
        return
    older = Promotion.objects.filter(environment=promotion.environment, status__in=statuses.PENDING)
    for one in (
        older.exclude(pk=promotion.pk)
        .select_related("environment__application", "environment__phase", "release")
        .order_by("id")
    ):
        reason = f"Promotion {promotion.pk} of {promotion.release.version} took its place."
        advance(one, "superseded", actor=actor, reason=reason, superseded_by=promotion)


def _go(promotion: Promotion, verdicts: list[gates.Verdict]) -> None:
    """Queue it, or note when to look again."""
    if gates.state_of(verdicts) == "passed":
        advance(promotion, "queued", actor=Actor.system(), before=("waiting",))
        ring(promotion)
        return
    earliest = next((verdict.earliest for verdict in verdicts if verdict.earliest), None)
    Promotion.objects.filter(pk=promotion.pk).update(wake_at=earliest)
    announce(promotion)
