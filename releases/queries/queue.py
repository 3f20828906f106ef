"""Where a promotion stands in the queue: its place, what is in front of it, and when it should start."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import inf

from releases import statuses
from releases.models import Promotion
from releases.queries import ahead, maintenance, turns
from releases.queries.ahead import Ahead, Going
from releases.queries.cells import lines
from releases.queries.shared import Person, PromotionLine, listed, person_or_system
from relman import words
from relman.actors import Actor
from relman.clock import now

SHOWN = 10
"""How many of those in front are named."""
FORESEEN = 100
"""With more in front there is no estimate."""


@dataclass(frozen=True)
class Queue:
    """`estimate`: seconds until it starts, None: not known. `position`: None while it waits for its gates.

    Place, length and more count what the reader may see: how much others have queued is theirs to know.
    """

    text: str
    position: int | None = None
    length: int = 0
    in_front: list[Ahead] = field(default_factory=list)
    more: int = 0
    """How many in front are not named."""
    estimate: float | None = None


@dataclass(frozen=True)
class Emergency:
    """It is in the emergency lane: since when, by whom, why."""

    at: datetime
    by: Person
    reason: str


def emergency_of(actor: Actor, promotion: Promotion) -> Emergency | None:
    """How it came into the emergency lane; None when it did not."""
    if promotion.emergency_at is None:
        return None
    by = person_or_system(actor, promotion.emergency_by)
    return Emergency(promotion.emergency_at, by, promotion.emergency_reason)


def behind(promotion: Promotion) -> list[PromotionLine]:
    """The first of what is queued behind it in the same environment."""
    if promotion.status not in ("queued", *statuses.ACTIVE):
        return []
    others = Promotion.objects.filter(environment=promotion.environment_id, status="queued").exclude(pk=promotion.pk)
    if promotion.status == "queued":
        others = others.exclude(turns.before(promotion))
    return lines(others.order_by("id")[:SHOWN])


def queue_of(actor: Actor, promotion: Promotion) -> Queue | None:
    """The queue as it stands for a promotion that has not started; None for others. Six queries, whatever has ended."""
    if promotion.status not in statuses.PENDING:
        return None
    line, going, slots = turns.line(), ahead.going_on(), ahead.workers()
    before, queued = _before(line, promotion)
    here = promotion.environment_id
    beside = [one.id for one in going if one.environment == here]
    beside += [turn.id for turn in before if turn.environment == here]
    front = beside or (_elsewhere(before, going, slots) if queued else [])
    held = maintenance.held_now()
    estimate = None
    if queued and held is None and len(before) <= FORESEEN:
        estimate = _estimate(promotion, before, going, slots)
    seen = ahead.seen_of(actor, [*line, *going])
    named, more = _named(actor, front, seen)
    text = held.text if held else _text(promotion, named, len(named) + more, slots, bool(beside))
    tail = _when(estimate, bool(front)) if queued and held is None and slots else ""
    position = 1 + sum(turn.id in seen for turn in before) if queued else None
    return Queue(f"{text} {tail}".strip(), position, sum(turn.id in seen for turn in line), named, more, estimate)


def _before(line: Sequence[turns.Turn], promotion: Promotion) -> tuple[list[turns.Turn], bool]:
    """Those whose turn is before, and whether it is in line; who still waits comes behind all of its environment."""
    place = next((index for index, turn in enumerate(line) if turn.id == promotion.pk), None)
    if place is not None:
        return list(line[:place]), True
    return [turn for turn in line if turn.environment == promotion.environment_id], False


def _named(actor: Actor, front: Sequence[int], seen: Collection[int]) -> tuple[list[Ahead], int]:
    """The first in front, as the reader may see them, and how many more of those there are."""
    known = [pk for pk in front if pk in seen]
    hidden = next((pk for pk in front if pk not in seen), None)
    chosen = {*known[:SHOWN], hidden}
    return ahead.shown(actor, [pk for pk in front if pk in chosen]), max(0, len(known) - SHOWN)


def _elsewhere(before: Sequence[turns.Turn], going: Sequence[Going], slots: int) -> list[int]:
    """What keeps the workers busy, and whose turn is before; nothing while a worker is free for all of them."""
    busy = [one.id for one in going if one.working]
    return [*busy, *(turn.id for turn in before)] if len(busy) + len(before) >= slots else []


def _text(promotion: Promotion, named: Sequence[Ahead], many: int, slots: int, beside: bool) -> str:
    phase = promotion.environment.phase.name
    if promotion.status == "waiting":
        return (
            f"When its gates are open it comes behind {_names(named, many)} in {phase}."
            if many
            else f"Nothing is in front of it in {phase}: it waits for its gates only."
        )
    if beside:
        return f"It stands behind {_names(named, many)}: one promotion at a time runs in {phase}."
    if not slots:
        return "No worker has been heard of lately: nothing starts until one runs."
    if many:
        busy = "The worker is" if slots == 1 else f"All {slots} workers are"
        return f"{busy} busy or taken: in front of it {'is' if many == 1 else 'are'} {_names(named, many)}."
    return "A worker takes it in a moment."


def _names(named: Sequence[Ahead], many: int) -> str:
    if many <= 3:
        return listed([one.text for one in named])
    return f"{', '.join(one.text for one in named[:2])} and {many - 2} more"


def _when(estimate: float | None, behind: bool) -> str:
    if not behind:
        return ""
    if estimate is None:
        return "There is no estimate yet."
    return f"It should start in about {words.duration(estimate)}." if estimate >= 1 else "It should start in a moment."


# --- the estimate


def _estimate(promotion: Promotion, before: Sequence[turns.Turn], going: Sequence[Going], slots: int) -> float | None:
    """Seconds, from what is usual in each environment in front."""
    usual = ahead.usual_of([*(turn.environment for turn in before), *(one.environment for one in going)])
    moment = now()
    left = {one.id: _left(one, usual.get(one.environment), moment) for one in going}
    mine = turns.Turn(promotion.pk, promotion.environment_id, promotion.environment.application_id)
    return starts_in([*before, mine], going, left, usual, slots)


def _left(one: Going, usual: float | None, moment: datetime) -> float:
    """Seconds that it should still take; without end when that is not known, or when it takes longer than usual."""
    if usual is None or one.started_at is None:
        return inf
    rest = usual - (moment - one.started_at).total_seconds()
    return rest if rest > 0 else inf


def starts_in(
    line: Sequence[turns.Turn],
    going: Sequence[Going],
    left: Mapping[int, float],
    usual: Mapping[int, float | None],
    slots: int,
) -> float | None:
    """Seconds until the last of the line starts: each worker takes the first whose environment is free. Pure.

    None when what has to end before is of unknown length, or when nobody works.
    """
    workers = [left[one.id] for one in going if one.working]
    workers += [0.0] * (slots - len(workers))
    places = {one.environment: left[one.id] for one in going}
    waiting = list(line)
    while workers and waiting:
        free = min(workers)
        first = min(waiting, key=lambda turn: max(free, places.get(turn.environment, 0.0)))
        start = max(free, places.get(first.environment, 0.0))
        if start == inf:
            return None
        if first is line[-1]:
            return start
        known = usual.get(first.environment)
        workers.remove(free)
        places[first.environment] = start + (inf if known is None else known)
        workers.append(places[first.environment])
        waiting.remove(first)
    return None
