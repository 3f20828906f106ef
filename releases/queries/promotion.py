"""One promotion: what it does now, what it did, what holds it, and what may be done about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q
from django.utils.timezone import localtime

from phases import permissions
from phases.drivers.base import DriverError
from releases import gates, statuses
from releases.models import Approval, Promotion, Rehearsal
from releases.queries import history
from releases.queries.application import open_first
from releases.queries.approving import decisions, seats
from releases.queries.health import restarts_of
from releases.queries.logs import log as log_of
from releases.queries.lookups import live_of
from releases.queries.offers import verdicts_of
from releases.queries.progress import Progress, StepLine, progress_of, steps_of
from releases.queries.promotion_offers import offers_of, retry_notes, retry_right
from releases.queries.queue import Emergency, Queue, behind, emergency_of, queue_of
from releases.queries.rules import Said
from releases.queries.shared import (
    Approver,
    Entry,
    Log,
    Named,
    Offer,
    Person,
    Pill,
    PromotionLine,
    clock,
    person_or_system,
)
from relman import words
from relman.actors import Actor
from relman.clock import now


@dataclass(frozen=True)
class Head:
    """The promotion itself."""

    id: int
    application: Named
    version: str
    phase: Named
    kind: str
    status: str
    requested_by: Person
    requested_at: datetime
    comment: str
    started_at: datetime | None
    finished_at: datetime | None
    not_before: datetime | None
    not_after: datetime | None
    replaces: str | None
    approved_by: list[str]
    digest: str
    retry_of: int | None
    retried_by: int | None
    superseded_by: int | None
    rolls_back: int | None
    """The failed promotion that RelMan answers by itself with this one."""
    rolled_back_by: int | None
    rehearsal: bool
    rollback: bool
    reason: str
    worker: str
    revision: int
    environment: int
    emergency: Emergency | None = None


@dataclass(frozen=True)
class Serves:
    """What the environment serves now."""

    version: str | None
    since: datetime | None
    health: str
    restarts: int
    """How often instances of this very promotion ended by themselves and were started again."""


@dataclass(frozen=True)
class Fact:
    """Something known, or not known, about an unknown outcome."""

    text: str
    detail: str = ""


@dataclass(frozen=True)
class Retry:
    """What a retry repeats, and who may ask for it."""

    notes: list[Said]
    right: str
    """As the pages call it."""
    refused: str
    """Why the reader may not; empty: they may."""


@dataclass(frozen=True)
class Ended:
    """Who ended it."""

    by: str


@dataclass(frozen=True)
class PromotionPage:
    """The whole page."""

    promotion: Head
    pill: Pill
    over: bool
    ended: Ended | None
    serves: Serves
    progress: Progress
    steps: list[StepLine]
    selected: int
    log: Log
    verdicts: list[gates.Verdict]
    approvers: list[Approver]
    queue: Queue | None
    behind: list[PromotionLine]
    left: list[str]
    known: list[Fact]
    unknown: list[Fact]
    retry: Retry | None
    """What a retry repeats, once it was carried out in part and did not come through."""
    seal_holds: bool | None
    seal_differs: str
    """What changed since it was approved, as one sentence; empty: nothing, or nobody can say."""
    timeline: list[Entry]
    may_resolve: bool = False
    offers: list[Offer] = field(default_factory=list)


def promotion_page(actor: Actor, promotion: Promotion, step: int | None = None) -> PromotionPage:
    """The page of one promotion. `step`: whose log is shown; 0: all; None: the one that runs or failed."""
    live = live_of(promotion.environment)
    steps = steps_of(promotion)
    progress = progress_of(promotion, steps)
    at_fault = progress.step.number if progress.step and promotion.status in ("failed", "errored") else 0
    selected = at_fault if step is None else step
    pending = promotion.status in statuses.PENDING
    made, offers = decisions(promotion), offers_of(actor, promotion)
    seal_holds = _seal_holds(promotion, made)
    verdicts = open_first(verdicts_of(promotion, actor)) if pending else []
    return PromotionPage(
        promotion=_head(actor, promotion, made),
        pill=_pill(promotion, verdicts),
        over=promotion.status not in statuses.OPEN,
        ended=_ended(made) if promotion.status == "rejected" else None,
        serves=Serves(
            live.release.version if live else None,
            live.finished_at if live else None,
            promotion.environment.health if live else "unknown",
            restarts_of(promotion.environment, promotion),
        ),
        progress=progress,
        steps=steps,
        selected=selected,
        log=log_of(promotion, selected),
        verdicts=verdicts,
        approvers=seats(actor, promotion) if promotion.rules else [],
        queue=queue_of(actor, promotion),
        behind=behind(promotion),
        left=_left(promotion),
        known=_known(promotion, live, steps) if promotion.status == "errored" else [],
        unknown=_unknown(progress.step) if promotion.status == "errored" else [],
        retry=_retry(promotion, offers),
        seal_holds=seal_holds,
        seal_differs=_seal_differs(promotion) if seal_holds is False else "",
        timeline=history.of_promotion(actor, promotion.pk),
        may_resolve=any(one.name == "resolve" and one.possible for one in offers),
        offers=offers,
    )


def _head(actor: Actor, promotion: Promotion, made: Sequence[Approval]) -> Head:
    again = promotion.retries.order_by("-id").values_list("pk", flat=True).first()
    return Head(
        id=promotion.pk,
        application=Named.of(promotion.environment.application),
        version=promotion.release.version,
        phase=Named.of(promotion.environment.phase),
        kind=promotion.kind,
        status=promotion.status,
        requested_by=person_or_system(actor, promotion.requested_by),
        requested_at=promotion.requested_at,
        comment=promotion.comment,
        started_at=promotion.started_at,
        finished_at=promotion.finished_at,
        not_before=promotion.not_before,
        not_after=promotion.not_after,
        replaces=promotion.replaces.version if promotion.replaces else None,
        approved_by=[one.person.display for one in made if one.decision == "approved"],
        digest=f"sha256:{promotion.digest}",
        retry_of=promotion.retry_of_id,
        retried_by=again,
        superseded_by=promotion.superseded_by_id,
        rolls_back=promotion.rolls_back_id,
        rolled_back_by=Promotion.objects.filter(rolls_back=promotion).values_list("pk", flat=True).first(),
        rehearsal=Rehearsal.objects.filter(Q(back=promotion) | Q(forth=promotion)).exists(),
        rollback=promotion.kind == "rollback",
        reason=promotion.reason,
        worker=promotion.lease_owner if promotion.status in statuses.ACTIVE else "",
        revision=promotion.revision,
        environment=promotion.environment_id,
        emergency=emergency_of(actor, promotion),
    )


def _pill(promotion: Promotion, verdicts: Sequence[gates.Verdict]) -> Pill:
    """Its state in a word or two; a waiting one says for what: a person first, then the clock, then what is missing."""
    held = [one for one in verdicts if one.state in ("waiting", "failed")] if promotion.status == "waiting" else []
    if any(one.gate.startswith("approval") for one in held):
        return Pill("approval", "Waiting for approval")
    due = promotion.not_before
    if due and any(one.gate == "schedule" for one in held):
        return Pill("scheduled", f"Scheduled for {clock(due, now())}")
    if not held:
        return Pill(promotion.status)
    gate = held[0].gate
    return Pill(gate) if gate in words.LOOKS else Pill("waiting", f"Held by the gate {gate}")


def _ended(made: Sequence[Approval]) -> Ended | None:
    by = next((one.person.display for one in made if one.decision == "rejected"), None)
    return Ended(by) if by else None


# --- around it


def _left(promotion: Promotion) -> list[str]:
    """What was left behind, in words, as the clean-up says it."""
    if promotion.status not in ("failed", "aborted"):
        return []
    if promotion.cleanup == "due":
        return ["Clean-up is still running"]
    undone = promotion.steps.filter(when="undo").exclude(status="pending").order_by("number")
    said = [one.detail.rstrip(".") or one.name for one in undone if one.status in ("succeeded", "failed", "errored")]
    return said or ["Nothing running"]


def _known(promotion: Promotion, live: Promotion | None, steps: Sequence[StepLine]) -> list[Fact]:
    phase = promotion.environment.phase.name
    facts = []
    if live:
        facts.append(Fact(f"**{phase}** serves **{live.release.version}**", "By the record of what succeeded last"))
    else:
        facts.append(Fact(f"Nothing serves in **{phase}**", "Nothing succeeded there yet"))
    done = [one for one in steps if one.state == "succeeded"]
    if done:
        text = ", ".join(one.name.lower() for one in done)
        facts.append(Fact(f"{len(done)} of {len(steps)} steps finished: {text}"))
    doubtful = next((one for one in steps if one.state == "errored"), None)
    if doubtful and doubtful.started_at:
        tries = "once, at" if doubtful.attempts == 1 else f"{doubtful.attempts} times, the last time at"
        begun = f"{localtime(doubtful.started_at):%H:%M:%S}"
        facts.append(Fact(f"Step {doubtful.number}, {doubtful.name.lower()}, was started {tries} {begun}"))
    return facts


def _unknown(step: StepLine | None) -> list[Fact]:
    if step is None:
        return [Fact("Whether it came through")]
    facts = [Fact(f"Whether step {step.number}, {step.name.lower()}, ended, and how", step.detail)]
    if step.resume == "never":
        facts.append(Fact("Whether it still runs", "The step must not run twice, and nothing tells RelMan how to ask"))
    return facts


def _seal_holds(promotion: Promotion, made: Sequence[Approval]) -> bool | None:
    """Whether what was approved is still the same; None when nobody approved, or it did not fail."""
    if promotion.status != "failed" or not made:
        return None
    from releases.engine import plan

    kept = promotion.snapshot if promotion.snapshot_of == "then" else None
    try:
        return plan.build(promotion.release, promotion.environment, snapshot=kept).seal == promotion.seal
    except DriverError:
        return False  # nothing can be planned there as it is set now


def _retry(promotion: Promotion, offers: Sequence[Offer]) -> Retry | None:
    offer = next((one for one in offers if one.name == "retry"), None)
    if offer is None or promotion.status not in ("failed", "aborted"):
        return None
    return Retry(retry_notes(promotion), permissions.RIGHTS[retry_right(promotion)], offer.reason)


def _seal_differs(promotion: Promotion) -> str:
    from releases.engine.start import outdated  # the engine builds plans from these queries

    return outdated(promotion)


def promotion_log(actor: Actor, promotion: Promotion, step: int = 0, after: int = 0) -> Log:
    """New lines of the log: those behind line `after`. The caller has found the promotion for this actor."""
    permissions.require(actor, "view", promotion.environment)
    return log_of(promotion, step, after)
