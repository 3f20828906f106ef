"""How far a promotion is: its steps, how long each usually takes, and what is still to come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from django.db.models import F

from releases.models import Promotion, Step
from relman.clock import now

SURE = 3
"""Runs from which an estimate is said without a word of caution."""


@dataclass(frozen=True)
class Estimate:
    """How long something usually takes, in seconds, and how many runs say so."""

    seconds: float
    runs: int

    @property
    def caution(self) -> str:
        """`, from 2 runs` when there are few; nothing when there are enough."""
        return "" if self.runs >= SURE else f", from {self.runs} run{'' if self.runs == 1 else 's'}"


@dataclass(frozen=True)
class StepLine:
    """One step of the plan; times in seconds."""

    number: int
    name: str
    kind: str
    detail: str
    state: str
    resume: str
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    usual: Estimate | None
    attempts: int


@dataclass(frozen=True)
class Segment:
    """One part of the progress line; `weight` from 1 to 12, by usual duration."""

    state: str
    weight: int


@dataclass(frozen=True)
class Progress:
    """How far it is; `elapsed` in seconds, `remaining` None: no estimate yet."""

    done: int
    total: int
    elapsed: float | None
    remaining: Estimate | None
    late: bool
    """It takes longer than usual."""
    segments: list[Segment]
    step: StepLine | None


def steps_of(promotion: Promotion) -> list[StepLine]:
    """The steps on the way there, and of the clean-up those that ran."""
    rows = [one for one in promotion.steps.all() if one.when in ("run", "verify") or one.status != "pending"]
    took = _usual_steps(promotion)
    return [_step(one, took.get(one.name)) for one in rows]


def _step(step: Step, typical: Estimate | None) -> StepLine:
    took = (step.finished_at - step.started_at).total_seconds() if step.finished_at and step.started_at else None
    return StepLine(
        number=step.number,
        name=step.name,
        kind=step.kind,
        detail=step.detail,
        state=step.status,
        resume=step.resume,
        started_at=step.started_at,
        finished_at=step.finished_at,
        seconds=took,
        usual=typical,
        attempts=step.attempts,
    )


def _last_five(promotion: Promotion) -> list[int]:
    """The last promotions that succeeded in the same environment."""
    chosen = Promotion.objects.filter(environment=promotion.environment_id, status="succeeded")
    return list(chosen.exclude(pk=promotion.pk).order_by("-finished_at").values_list("pk", flat=True)[:5])


def _usual_steps(promotion: Promotion) -> Mapping[str, Estimate]:
    """Step name -> the median of the last five runs; absent when it never ran there."""
    rows = Step.objects.filter(promotion__in=_last_five(promotion), finished_at__isnull=False).order_by()
    taken: dict[str, list[float]] = {}
    for name, begun, ended in rows.values_list("name", "started_at", "finished_at"):
        if begun and ended:
            taken.setdefault(name, []).append((ended - begun).total_seconds())
    return {name: Estimate(median(all_), len(all_)) for name, all_ in taken.items()}


def usual_of(environment: int) -> Estimate | None:
    """How long a promotion into this environment usually takes: the median of the last five. None: there was none."""
    done = Promotion.objects.filter(environment=environment, status="succeeded", started_at__isnull=False)
    took = done.order_by("-finished_at").annotate(took=F("finished_at") - F("started_at"))
    known = [span.total_seconds() for span in took.values_list("took", flat=True)[:5] if span is not None]
    return Estimate(median(known), len(known)) if known else None


def progress_of(promotion: Promotion, steps: Sequence[StepLine]) -> Progress:
    """How far it is, without the clean-up."""
    way = _way(promotion, steps)
    done = sum(one.state in ("succeeded", "skipped") for one in way)
    wrong = next((one for one in way if one.state in ("running", "failed", "errored", "aborted")), None)
    due = next((one for one in way if one.state == "pending"), None) if promotion.is_active else None
    moment = promotion.finished_at or now()
    elapsed = (moment - promotion.started_at).total_seconds() if promotion.started_at else None
    left = _remaining(promotion, way) if promotion.started_at else None
    return Progress(
        done=done,
        total=len(way),
        elapsed=elapsed,
        remaining=left if left and left.seconds > 0 else None,
        late=bool(left and left.seconds <= 0),
        segments=[Segment(one.state, _weight(one, way)) for one in way],
        step=wrong or due,
    )


def _way(promotion: Promotion, steps: Sequence[StepLine]) -> list[StepLine]:
    """Without the clean-up."""
    numbers = {number for number, spec in enumerate(promotion.plan, 1) if spec["when"] in ("run", "verify")}
    return [one for one in steps if one.number in numbers]


def _remaining(promotion: Promotion, way: Sequence[StepLine]) -> Estimate | None:
    """What is still to come: what is usual for the steps that are not done, as sure as the least known of them."""
    todo = [one for one in way if one.state in ("pending", "running")]
    usual = [one.usual for one in todo if one.usual is not None]
    if not promotion.is_active or not todo or len(usual) < len(todo):
        return None
    moment = now()
    spent = sum((moment - one.started_at).total_seconds() for one in todo if one.state == "running" and one.started_at)
    return Estimate(sum(one.seconds for one in usual) - spent, min(one.runs for one in usual))


def _weight(step: StepLine, way: Sequence[StepLine]) -> int:
    longest = max((_length(one) for one in way), default=0.0)
    return max(1, round(12 * _length(step) / longest)) if longest else 1


def _length(step: StepLine) -> float:
    return (step.usual.seconds if step.usual else 0.0) or step.seconds or 0.0
