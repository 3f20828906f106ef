"""What rehearsals of the way back have shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from phases.models import Environment
from releases.models import Promotion, Rehearsal, Release
from releases.models.way_back import REHEARSAL_OPEN
from releases.queries.shared import Named, Person, person_or_system
from relman.actors import Actor
from relman.words import duration

WORDS = {
    "back": "On the way back",
    "forth": "On the way forward again",
    "passed": "Passed",
    "failed": "Failed",
    "stopped": "Stopped",
}
KEYS = {"back": "running", "forth": "running", "passed": "ok", "failed": "failed", "stopped": "attention"}
"""How each state looks: a key of the table in relman/words.py."""


@dataclass(frozen=True)
class Rehearsed:
    """One rehearsal, as it is shown. `seconds`: how long the way back took; `pair`: of the two releases asked about."""

    id: int
    phase: Named
    leaves: str
    to: str
    state: str
    word: str
    key: str
    reason: str
    by: Person
    at: datetime
    back: int
    forth: int | None
    seconds: float | None
    pair: bool

    @property
    def open(self) -> bool:
        """Whether it goes on."""
        return self.state in REHEARSAL_OPEN

    @property
    def sentence(self) -> str:
        """What people read."""
        took = f", in {duration(self.seconds)}" if self.seconds is not None and self.state == "passed" else ""
        return f"{self.word} in {self.phase.name}, from {self.leaves} to {self.to}{took}"


def newest(environment: Environment, actor: Actor | None = None) -> Rehearsed | None:
    """The newest rehearsal there, whether it has ended or goes on."""
    return _shown(_rows().filter(environment=environment).order_by("-id").first(), None, None, actor)


def rehearsal_of(environment: Environment) -> Rehearsal | None:
    """The row itself, with how long the way back took."""
    one = _rows().filter(environment=environment).order_by("-id").first()
    if one is not None:
        one.__dict__["seconds"] = _seconds(one.back)
    return one


def last_before(environment: Environment, leaving: Release | None, to: Release | None) -> Rehearsed | None:
    """The newest that ended, up to this phase: of this very pair of releases, else of any of the application."""
    phase = environment.phase
    near = Q(environment__phase__position__lte=phase.position, environment__application=environment.application_id)
    ended = _rows().filter(near).exclude(state__in=REHEARSAL_OPEN).order_by("-finished_at")
    pair = ended.filter(leaves=leaving, to=to).first() if leaving and to else None
    return _shown(pair or ended.first(), leaving, to)


def _rows() -> QuerySet[Rehearsal]:
    return Rehearsal.objects.select_related(
        "environment__application", "environment__phase", "leaves", "to", "back", "requested_by"
    )


def _shown(
    one: Rehearsal | None, leaving: Release | None, to: Release | None, actor: Actor | None = None
) -> Rehearsed | None:
    if one is None:
        return None
    return Rehearsed(
        id=one.pk,
        phase=Named.of(one.environment.phase),
        leaves=one.leaves.version,
        to=one.to.version,
        state=one.state,
        word=WORDS[one.state],
        key=KEYS[one.state],
        reason=one.reason,
        by=person_or_system(actor or Actor.system(), one.requested_by),
        at=one.finished_at or one.requested_at,
        back=one.back_id,
        forth=one.forth_id,
        seconds=_seconds(one.back),
        pair=bool(leaving and to and (one.leaves_id, one.to_id) == (leaving.pk, to.pk)),
    )


def _seconds(back: Promotion) -> float | None:
    if back.finished_at is None or back.started_at is None:
        return None
    return (back.finished_at - back.started_at).total_seconds()
