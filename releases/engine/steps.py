"""Doing one step: save "started", call the driver outside any transaction, save the result with the fencing token."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from django.db import Error as DatabaseGone
from django.db import connections
from django.db.models import F
from django.db.models.functions import Now

from phases import configuration
from phases.drivers.base import (
    LEASE_LOST,
    Again,
    Context,
    Driver,
    DriverError,
    Errored,
    Failed,
    Fenced,
    Package,
    Result,
    Terminal,
    Transient,
    Unknown,
)
from phases.drivers.masking import Masker
from phases.drivers.registry import driver
from releases import storage
from releases.engine import boundary, lease, outcome, own, plan
from releases.models import LogLine, Step
from relman.live import publish_on_commit

GRACE = 10.0
"""Seconds that a call gets to notice that it must stop; then nobody knows what it did."""
LINE = 4000
DETAIL = 2000
TONES = {"succeeded": "good", "skipped": "info", "failed": "error", "errored": "error"}


class Work:
    """Everything that the steps of one visit share."""

    def __init__(self, claim: lease.Claim, keeper: lease.Keeper) -> None:
        self.claim, self.keeper = claim, keeper
        self.promotion = claim.promotion
        self.driver: Driver = driver(self.promotion.target["driver"])
        self.values, secrets = configuration.reveal(self.promotion.snapshot)
        self.masker = Masker(secrets)
        self.interrupted = ""
        self.fenced = False
        self.deadline = float("inf")
        self.begun: int | None = None
        """The step whose beginning was written already: with the claim, or with the end of the one before."""
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def introduce(self) -> None:
        """Say in the log who took over what."""
        if self.claim.taken_over:
            self.write([(0, "warn", "The worker before this one fell silent; this one takes over.")])

    def do(self, step: Step) -> Result:
        """One attempt of one step; what it says is masked, like its log, before anybody keeps or shows it."""
        result = self.attempt(step)
        if isinstance(result, Failed | Errored):
            return replace(result, reason=self.masker.mask(result.reason))
        return replace(result, detail=self.masker.mask(result.detail))

    def attempt(self, step: Step) -> Result:
        """One attempt, by the step's kind, within its time; never raises what a driver raises."""
        straight_on = self.begun == step.pk
        crashed = step.status == "running" and step.wake_at is None and not straight_on
        self.interrupted = ""
        if not straight_on:
            self.begin(step)
        call = self.call_after_crash if crashed else self.call
        try:
            self.tell_epoch(step)
            return self.timed(step, call)
        except Transient as error:
            return self.after_transient(step, error)
        except (Fenced, DatabaseGone):
            raise  # nothing is known of the step: whoever takes over finds out, by its kind
        except Unknown as error:
            return Errored(str(error))
        except (Terminal, DriverError) as error:
            return Failed(str(error))
        except Exception as error:  # a mistake in a driver must not leave a promotion hanging
            return Errored(f"The driver broke off: {type(error).__name__}: {str(error)[:500]}")

    def after_transient(self, step: Step, error: Transient) -> Result:
        """Another try after a growing wait, or the end."""
        decided = outcome.after_transient(step.attempts, step.max_attempts, str(error))
        if decided.what == "failed":
            return Failed(decided.reason)
        Step.objects.filter(pk=step.pk).update(attempts=F("attempts") + 1)
        return Again(decided.wait, f"{error} Trying again.")

    def begin(self, step: Step) -> None:
        """Save that the step is in flight. An attempt that comes back after a wait keeps its start."""
        self.write_boundary(None, step, [])

    def save(self, step: Step, left: Mapping[str, Any], *, status: str, detail: str, then: Step | None = None) -> None:
        """Save a step's result, if the promotion is still ours, and in the same breath that the next one begins.

        A step that stays `running` goes on later; one that is `pending` again is tried anew.
        """
        self.promotion.left = {**self.promotion.left, **left}
        said = [*self.logged(step), *self.masked(step.number, [detail], TONES.get(status, "info"))]
        self.write_boundary(boundary.Ended(step.pk, status, detail[:DETAIL]), then, said)
        step.status, self.begun = status, then.pk if then else None

    def write_boundary(self, ended: boundary.Ended | None, begins: Step | None, lines: list[boundary.Line]) -> None:
        """One statement, and its live topics. Raises Fenced when somebody else took over."""
        again = begins is not None and begins.wake_at is not None
        if begins is not None and not again:
            lines = [*lines, *self.masked(begins.number, [f"Step {begins.number}: {begins.name}"], "group")]
        self.keeper.pulse()
        number = begins.pk if begins else None
        hand = boundary.write(self.claim, self.promotion.left, ended=ended, begins=number, lines=lines)
        if hand is None:
            raise Fenced("Somebody else has taken this promotion over.")
        self.keeper.abort = hand.abort or self.keeper.abort
        if begins is not None:
            begins.status, begins.wake_at, begins.attempts = "running", None, begins.attempts + (0 if again else 1)
        self.tell()

    def tell_epoch(self, step: Step) -> None:
        """The target learns the epoch with the driver's first call of a visit."""
        if not self.fenced:
            self.driver.fence(self.context(step))
            self.fenced = True

    def call(self, step: Step) -> Result:
        """The engine's own kinds here, everything else to the driver."""
        mine = own.KINDS.get(step.kind)
        context = self.context(step)
        return mine(self.promotion, self.driver, context) if mine else self.driver.run(step.kind, context)

    def call_after_crash(self, step: Step) -> Result:
        """A step that was in flight when its worker died goes on by its kind."""
        way = "run" if step.kind in own.KINDS else outcome.after_crash(step.resume, probed=False)
        if way == "ask":
            return Errored(
                "It was running when its worker died, and it is not safe to run it again. "
                "Look at the target and say what is true."
            )
        if way == "probe":
            known = self.driver.probe(step.kind, self.context(step))
            if known is not None:
                return known
        return self.call(step)

    def timed(self, step: Step, call: Any) -> Result:
        """Run the call in a thread of its own, write its lines meanwhile, and do not wait for ever."""
        end = time.monotonic() + step.timeout
        self.deadline = end
        future: Future[Result] = Future()
        threading.Thread(target=_into, args=(future, call, step), name=f"step-{step.pk}", daemon=True).start()
        while True:
            self.keeper.pulse()
            try:
                return self.late(step, future.result(timeout=0.2))
            except TimeoutError:
                if future.done():
                    raise
                self.flush(step)
            if time.monotonic() > end + GRACE:
                return Errored(f"It did not stop {GRACE:.0f} s after its time of {step.timeout:.0f} s was over.")
            if self.keeper.lost:
                self.stop()
                raise Fenced("The lease is lost.")

    def late(self, step: Step, result: Result) -> Result:
        """An interrupted step says Again; when its time was over that is a failure."""
        if isinstance(result, Again) and self.interrupted == "timeout":
            self.interrupted = f"It took longer than {step.timeout:.0f} s and was stopped."
        return result

    def stop(self) -> str | None:
        """Why a running step should end now; long work asks often."""
        if self.keeper.lost:
            self.interrupted = LEASE_LOST
        elif self.keeper.abort and self.promotion.is_active:
            self.interrupted = "It was aborted."
        elif time.monotonic() > self.deadline:
            self.interrupted = "timeout"
        return self.interrupted or None

    def context(self, step: Step) -> Context:
        """What the driver may know."""
        release = self.promotion.release
        artifact = release.artifacts.all()[0]  # fetched with the claim
        package = Package(
            release.version, storage.path_of(artifact.digest), artifact.digest, artifact.size, release.manifest
        )
        return Context(
            target=plan.frozen_target(self.promotion),
            promotion=self.promotion.pk,
            epoch=self.claim.epoch,
            step=step.number,
            package=package,
            configuration=self.values,
            parameters=step.parameters,
            left=self.promotion.left,
            log=self.lines.put,
            stop=self.stop,
        )

    def logged(self, step: Step) -> list[boundary.Line]:
        """The lines that the step has logged since somebody asked, masked."""
        lines = []
        while not self.lines.empty():
            lines.append(self.lines.get())
        return self.masked(step.number, lines)

    def flush(self, step: Step) -> None:
        """Write the lines that a step has logged so far, while it goes on."""
        self.write(self.logged(step))

    def write(self, lines: list[boundary.Line]) -> None:
        """Lines between two boundaries."""
        if lines:
            LogLine.objects.bulk_create(
                LogLine(promotion=self.promotion, step=number, at=Now(), level=level, text=text)
                for number, level, text in lines
            )
            publish_on_commit(f"log:{self.promotion.pk}")

    def masked(self, number: int, lines: list[str], level: str = "info") -> list[boundary.Line]:
        """Lines as they may be kept."""
        return [(number, level, self.masker.mask(line)[:LINE]) for line in lines if line]

    def tell(self) -> None:
        """Pages hear, on commit, that something moved."""
        number, slug = self.promotion.pk, self.promotion.environment.application.slug
        publish_on_commit(f"promotion:{number}", f"log:{number}", f"application:{slug}")


def _into(future: Future[Result], call: Any, step: Step) -> None:
    try:
        future.set_result(call(step))
    except BaseException as error:
        future.set_exception(error)
    finally:
        connections.close_all()  # those of this thread; mostly it has none
