"""The page on which one promotion is decided: what changes, what speaks for it, the way back, the decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from phases import permissions
from phases.models import User
from releases import approvals, gates, statuses
from releases.models import Approval, Promotion
from releases.queries.application import open_first
from releases.queries.approving import decisions, seats, standings
from releases.queries.differences import changes_between, differences
from releases.queries.facts import authors_of, barred_people, rule_of
from releases.queries.lookups import live_of, visible_promotions
from releases.queries.offers import verdicts_of
from releases.queries.progress import Estimate, usual_of
from releases.queries.shared import Approver, ChangeItem, Difference, Named, Person, clock, listed, person_or_system
from releases.queries.way_back import WayBack, way_back
from relman.actors import Actor
from relman.audit.models import Event
from relman.clock import now

READY = "Ready: its artifact is there, its configuration can be read."
SAID = 5
"""Changes that are said in plain words before the rest."""


@dataclass(frozen=True)
class AskHead:
    """What is asked."""

    promotion: int
    application: Named
    version: str
    phase: Named
    kind: str
    replaces: str | None
    requested_by: Person
    requested_at: datetime
    comment: str
    not_before: datetime | None
    not_after: datetime | None
    until: datetime | None
    status: str
    seal: str
    digest: str
    revision: int
    needed: int
    approved: int


@dataclass(frozen=True)
class Facts:
    """When it starts, what people notice, and the way back; times in seconds."""

    starts: str
    duration: Estimate | None
    notice: str
    notice_why: str
    back_version: str | None
    back: float | None
    back_text: str
    back_ready: bool


@dataclass(frozen=True)
class Passed:
    """A phase that this build went through."""

    phase: Named
    at: datetime | None
    equal: bool


@dataclass(frozen=True)
class Yours:
    """What the reader decided."""

    approved: bool
    comment: str
    at: datetime


@dataclass(frozen=True)
class Decision:
    """Whether the reader may decide, and if not, why."""

    state: str
    may: bool
    reason: str
    yours: Yours | None
    may_withdraw: bool
    last: bool


@dataclass(frozen=True)
class Void:
    """Approvals that no longer count, and what changed."""

    at: datetime
    what: str


@dataclass(frozen=True)
class Over:
    """How it went on when it no longer waits."""

    by: str
    words: str
    comment: str
    at: datetime | None
    said: bool = False
    """The comment is a person's own words."""


@dataclass(frozen=True)
class ApprovePage:
    """The whole page."""

    ask: AskHead
    say: list[ChangeItem]
    changes: int
    facts: Facts
    verdicts: list[gates.Verdict]
    differences: list[Difference]
    unchanged: int
    passed: list[Passed]
    approvers: list[Approver]
    decision: Decision
    void: Void | None
    ended: Over | None


def approve_page(actor: Actor, promotion: Promotion) -> ApprovePage:
    """All that somebody needs to decide on one promotion."""
    before = _before(promotion)
    changes = changes_between(promotion.release, promotion.replaces or (before.release if before else None))
    diff, same = differences(before.snapshot if before else {}, promotion.snapshot)
    pending = promotion.status in statuses.PENDING
    signed = decisions(promotion)
    stale = _stale(promotion) if pending and signed else ""
    made = [] if stale else signed
    standing = standings(promotion, made)
    return ApprovePage(
        ask=_head(actor, promotion, standing),
        say=_say(changes),
        changes=len(changes),
        facts=_facts(promotion, before),
        verdicts=[one for one in open_first(verdicts_of(promotion, actor)) if not one.gate.startswith("approval")]
        if pending
        else [],
        differences=diff,
        unchanged=same,
        passed=_passed(actor, promotion),
        approvers=seats(actor, promotion, made),
        decision=_decision(actor, promotion, made, standing),
        void=_void_of(now(), stale) if stale else _void(promotion) if pending else None,
        ended=None if pending else _over(promotion, made),
    )


def _before(promotion: Promotion) -> Promotion | None:
    """What serves there, or served when this one ended."""
    if promotion.finished_at is None:
        return live_of(promotion.environment)
    done = Promotion.objects.filter(environment=promotion.environment, status="succeeded").select_related("release")
    return done.filter(finished_at__lt=promotion.finished_at).order_by("-finished_at").first()


def _stale(promotion: Promotion) -> str:
    """What changed since people signed; the sweep voids their approvals within seconds, the page says it at once."""
    from releases.engine.start import outdated  # the engine builds plans from these queries

    return outdated(promotion)


def _head(actor: Actor, promotion: Promotion, standing: Sequence[approvals.Standing]) -> AskHead:
    return AskHead(
        promotion=promotion.pk,
        application=Named.of(promotion.environment.application),
        version=promotion.release.version,
        phase=Named.of(promotion.environment.phase),
        kind=promotion.kind,
        replaces=promotion.replaces.version if promotion.replaces else None,
        requested_by=person_or_system(actor, promotion.requested_by),
        requested_at=promotion.requested_at,
        comment=promotion.comment,
        not_before=promotion.not_before,
        not_after=promotion.not_after,
        until=promotion.approve_before,
        status=promotion.status,
        seal=promotion.seal,
        digest=f"sha256:{promotion.digest}",
        revision=promotion.revision,
        needed=sum(seat.rule.count for seat in standing),
        approved=sum(len(seat.by) for seat in standing),
    )


def _say(changes: Sequence[ChangeItem]) -> list[ChangeItem]:
    """At most five, features and fixes first."""
    order = {"feature": 0, "feat": 0, "fix": 1}
    return sorted(changes, key=lambda one: order.get(one.kind, 2))[:SAID]


def _facts(promotion: Promotion, before: Promotion | None) -> Facts:
    took = usual_of(promotion.environment_id)
    moment = now()
    later = promotion.not_before and promotion.not_before > moment
    starts = f"**{clock(promotion.not_before, moment)}**" if later and promotion.not_before else (
        "**When the last approval is in**"
    )  # fmt: skip
    back = way_back(promotion.environment, promotion.release)
    return Facts(
        starts=starts,
        duration=took,
        notice="No interruption" if before else "Nothing",
        notice_why="The old version serves until the new one is healthy." if before else "It is the first here.",
        back_version=back.release.version if back.release else None,
        back=back.usual,
        back_text=_back_text(back),
        back_ready=back.ready,
    )


def _back_text(back: WayBack) -> str:
    """The way back in words, with what practice has shown."""
    if back.release is None:
        return back.sentence
    sentence = READY if back.ready else back.sentence  # which release stands above it
    if back.rehearsal is None:
        return f"{sentence} It was never rehearsed."
    seen, moment = back.rehearsal, now()
    other = "" if seen.pair else ", of other releases"
    return f"{sentence} Last rehearsal{other}, {clock(seen.at, moment)}: {seen.sentence}."


def _passed(actor: Actor, promotion: Promotion) -> list[Passed]:
    """The earlier phases that this release went through, as far as the reader sees them."""
    rows = (
        visible_promotions(actor)
        .filter(
            release=promotion.release_id,
            status="succeeded",
            environment__phase__position__lt=promotion.environment.phase.position,
        )
        .order_by("environment__phase__position", "finished_at")
    )
    last = {one.environment_id: one for one in rows}
    return [
        Passed(Named.of(one.environment.phase), one.finished_at, one.digest == promotion.digest)
        for one in last.values()
    ]


def _decision(
    actor: Actor, promotion: Promotion, made: Sequence[Approval], standing: Sequence[approvals.Standing]
) -> Decision:
    me = actor.user.pk if actor.user else 0
    mine = next((one for one in made if one.person_id == me), None)
    yours = Yours(mine.decision == "approved", mine.comment, mine.at) if mine else None
    if promotion.status not in statuses.PENDING:
        return Decision("over", False, "", yours, False, False)
    if yours:
        return Decision("yours", False, "", yours, yours.approved, False)
    reason = why_not(actor, promotion, standing)
    if reason or promotion.status != "waiting":
        return Decision("readonly", False, reason or "All approvals are in.", None, False, False)
    open_seats = sum(seat.missing for seat in standing)
    counts = any(not seat.met and me in seat.candidates for seat in standing)
    return Decision("open", True, "", None, False, open_seats == 1 and counts)


def why_not(actor: Actor, promotion: Promotion, standing: Sequence[approvals.Standing]) -> str:
    """Why the reader may not decide, and who can; empty when they may."""
    me = actor.user.pk if actor.user else 0
    rules = [rule_of(rule) for rule in promotion.rules]
    if not rules:
        return "This promotion needs no approval."
    able = permissions.approver_roles(promotion.environment.phase)
    barred = barred_people(promotion.requested_by_id, authors_of(promotion.release))
    if permissions.can(actor, "approve", promotion.environment) and approvals.may_decide(rules, me, able, barred):
        return ""
    others = _candidates(standing, me)
    instead = f" {listed(others, 3)} can approve instead." if others else ""
    why = barred.get(me, "")
    if why and approvals.may_decide(rules, me, able, {}):
        what = "wrote or published this release" if "author" in why else "asked for this promotion"
        return f"You {what}.{instead}"
    roles = listed(sorted({rule.role for rule in rules}))
    return f"Only {roles} can decide.{instead}"


def _candidates(standing: Sequence[approvals.Standing], me: int) -> list[str]:
    wanted = {who for seat in standing if not seat.met for who in seat.candidates} - {me}
    return sorted(f"**{user.display}**" for user in User.objects.filter(pk__in=wanted))


def _void(promotion: Promotion) -> Void | None:
    """The last approvals that were made void by a change (not taken back)."""
    rows = Approval.objects.filter(promotion=promotion, voided_at__isnull=False).exclude(seal=promotion.seal)
    last = rows.order_by("-voided_at").first()
    if last is None or last.voided_at is None:
        return None
    return _void_of(last.voided_at, last.void_reason)


def _void_of(at: datetime, why: str) -> Void:
    return Void(at, why.removeprefix("Changed since it was asked for: ").removesuffix("."))


def _over(promotion: Promotion, made: Sequence[Approval]) -> Over:
    no = next((one for one in made if one.decision == "rejected"), None)
    words = statuses.LOOKS[promotion.status].word
    if no:
        return Over(no.person.display, words, no.comment, no.at, said=True)
    last = Event.objects.filter(promotion_id=promotion.pk, verb=f"promotion.{promotion.status}").first()
    by = last.actor_name if last and last.actor_id else ""
    return Over(by, words, promotion.reason, promotion.finished_at)
