"""One visit of the engine to one promotion: claim it, do what can be done now, and say what happened.

Every write carries the epoch and the owner of the claim. A write that hits no row means
that somebody else took over: the visit ends without another word.
"""

from __future__ import annotations

import logging

from django.db import Error as DatabaseGone
from django.db import transaction

from phases.drivers.base import Again, Errored, Failed, Fenced, Skipped, Succeeded
from releases.dispatch import ring
from releases.engine import breaking, ending, lease, outcome, steps
from releases.engine.stopping import stopping
from releases.models import Promotion, Step
from releases.transitions import advance
from relman.actors import Actor
from relman.errors import Conflict

log = logging.getLogger(__name__)
DONE = ("succeeded", "skipped")


class Lost(Exception):
    """The lease or the epoch is gone: write nothing more."""


def tick(promotion_id: int) -> None:
    """Visit this promotion. Safe to call at any time, any number of times, from anywhere."""
    taken = take(promotion_id)
    if taken is not None:
        visit(*taken)


def take(
    promotion_id: int, *, environment: int | None = None, patient: bool = True
) -> tuple[lease.Claim, Visit | None] | None:
    """Claim it (see `lease.claim`), and save in the same transaction that the first step of one that starts begins."""
    with transaction.atomic():
        claim = lease.claim(promotion_id, environment=environment, patient=patient)
        return None if claim is None else (claim, _begun(claim))


def _begun(claim: lease.Claim) -> Visit | None:
    """The visit with its first step begun; None when it cannot begin: then it is begun anew, and finds out why."""
    if not claim.starts:
        return None
    try:
        one = Visit(claim, lease.Keeper(claim))
        one.begin()
    except DatabaseGone:
        raise
    except Exception as error:
        log.debug("Promotion %s does not begin with its claim: %s", claim.promotion.pk, error)
        return None
    return one


def visit(claim: lease.Claim, begun: Visit | None = None) -> None:
    """Do what can be done now for a promotion in hand."""
    with begun.keeper if begun else lease.Keeper(claim) as keeper:
        try:
            one = begun or Visit(claim, keeper)
            one.work.introduce()
            one.go()
        except Fenced as error:
            breaking.refused(claim, error)
        except (Lost, Conflict) as error:
            log.warning("Promotion %s was taken over, this visit ends: %s", claim.promotion.pk, error)
        except DatabaseGone:
            raise  # the lease runs out, and somebody takes over
        except Exception as error:
            breaking.broke_off(claim, error)


class Visit:
    """What one claim does, step by step."""

    def __init__(self, claim: lease.Claim, keeper: lease.Keeper) -> None:
        self.claim = claim
        self.keeper = keeper
        self.promotion = claim.promotion
        self.work = steps.Work(claim, keeper)
        self.steps = list(self.promotion.steps.order_by("number"))
        """Read once: while the promotion is ours, nobody else writes them."""

    def begin(self) -> None:
        """Save that the first step begins, before it does."""
        first = next((step for step in self.steps if step.when == "run"), None)
        if first is not None:
            self.work.begin(first)
            self.work.begun = first.pk

    def go(self) -> None:
        """Steps until the end, a wait, an abort or the worker's stop. What is begun is done first."""
        begun = next((step for step in self.steps if step.pk == self.work.begun), None)
        if begun is not None and not self.one(begun):
            return
        while True:
            if self.keeper.lost:
                raise Lost("the lease ran out")
            if self.promotion.is_active and self.keeper.abort:
                return self.finish("aborted", self.keeper.abort)
            broken = next((one for one in self.steps if one.status in ("failed", "errored")), None)
            if broken is not None and self.promotion.is_active:
                # Whoever had it before wrote the step's end, and died before the promotion's.
                return self.finish(broken.status, _words(broken, broken.detail))
            step = self.next_step()
            if step is None:
                return self.section_done()
            if stopping.is_set():
                lease.hand_back(self.claim)
                ring(self.promotion)
                return None
            if not self.one(step):
                return None

    def next_step(self) -> Step | None:
        """The first step of the present section that is not done; moves on to `verifying` when `run` is done."""
        pending = [step for step in self.steps if step.status in ("pending", "running")]
        if self.promotion.status == "running":
            run = next((step for step in pending if step.when == "run"), None)
            if run is not None:
                return run
            self.turn_to_verifying()
        section = {"verifying": "verify", "succeeded": "after"}.get(self.promotion.status, "undo")
        return next((step for step in pending if step.when == section), None)

    def section_done(self) -> None:
        """Nothing left in this section: the promotion succeeded, or its clean-up is done."""
        if self.promotion.status == "verifying":
            self.finish("succeeded", "")
        else:
            ending.cleaned(self.claim)

    def one(self, step: Step) -> bool:
        """Do one step, and those right behind it. False: this visit is over."""
        result = self.work.do(step)
        match result:
            case Succeeded() | Skipped():
                following = self.straight_on(step)
                self.close(step, "skipped" if isinstance(result, Skipped) else "succeeded", result, following)
                if following is not None:
                    return self.one(following)
                return self.promotion.is_active or self.promotion.cleanup == "due"
            case Again() if self.work.interrupted:
                return self.broken(step, Failed(self.work.interrupted))
            case Again():
                self.rest(step, result, result.seconds)
            case Failed() | Errored():
                return self.broken(step, result)
        return False

    def straight_on(self, step: Step) -> Step | None:
        """The next step of this section, or of the verification that follows: saved in one go with this one's end.

        None when somebody asks to stop before it.
        """
        if stopping.is_set() or self.keeper.lost or self.keeper.abort:
            return None
        sections = ("run", "verify") if step.when == "run" else (step.when,)
        later = (one for one in self.steps if one.when in sections and one.number > step.number)
        return next((one for one in later if one.status == "pending"), None)

    def close(
        self, step: Step, status: str, result: Succeeded | Skipped | Failed | Errored, then: Step | None = None
    ) -> None:
        """Save a step's end, and what it left; in the same transaction, that it was the last one before verifying, or
        the last one of all."""
        words = result.reason if isinstance(result, Failed | Errored) else result.detail
        left = {} if isinstance(result, Skipped) else dict(result.left)
        verifying = self.promotion.status == "running" and self.is_last(step, status, "run")
        ends = then is None and self.promotion.is_active and self.is_last(step, status, "run", "verify")
        if not (verifying or ends):
            return self.work.save(step, left, status=status, detail=words, then=then)
        with transaction.atomic():
            self.work.save(step, left, status=status, detail=words, then=then)
            if verifying:
                self.turn_to_verifying()
            if ends and not self.keeper.abort and self.promotion.snapshot_of != "then":
                # Parts of a rehearsal lock their environment first, and so end in a transaction of their own.
                ending.end(self.claim, "succeeded", "", self.steps)

    def is_last(self, step: Step, status: str, *sections: str) -> bool:
        """Whether nothing is left of these sections once this step has come to this."""
        others = (one for one in self.steps if one.when in sections and one is not step)
        return status in DONE and all(one.status in DONE for one in others)

    def turn_to_verifying(self) -> None:
        """All that was to run is done."""
        advance(self.promotion, "verifying", actor=Actor.system(), before=("running",), holds=self.claim.holds)

    def rest(self, step: Step, result: Again, seconds: float) -> None:
        """The step goes on later: hold no worker meanwhile."""
        self.work.save(step, dict(result.left), status="running", detail=result.detail)
        lease.hand_back(self.claim, wake_in=seconds or None)
        if self.promotion.is_active and not seconds:
            ring(self.promotion)

    def broken(self, step: Step, result: Failed | Errored) -> bool:
        """A step said no, or nobody knows. Clean-up steps are tried again later; others end the promotion."""
        if not self.promotion.is_active:
            self.work.save(step, dict(result.left), status="pending", detail=result.reason)
            lease.hand_back(self.claim, wake_in=outcome.cleanup_wait(step.attempts))
            return False
        status = "errored" if isinstance(result, Errored) else "failed"
        if self.keeper.abort:
            status = "aborted"
        self.close(step, status, result)
        self.finish(status, self.keeper.abort if status == "aborted" else _words(step, result.reason))
        return False

    def finish(self, status: str, reason: str) -> None:
        """The end, and the clean-up that follows in the same visit unless there is none."""
        try:
            ending.end(self.claim, status, reason)
        except Conflict:
            aborted = Promotion.objects.filter(pk=self.promotion.pk, **self.claim.holds).exclude(abort_reason="")
            words = aborted.values_list("abort_reason", flat=True).first()
            if words is None or status == "aborted":
                raise
            ending.end(self.claim, "aborted", words)
        if self.promotion.cleanup == "due":
            self.go()


def _words(step: Step, reason: str) -> str:
    return f"Step {step.number}, {step.name.lower()}: {reason}"
