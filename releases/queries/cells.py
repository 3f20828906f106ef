"""How far releases have come: one cell for each release and phase, and promotions as lines of a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import QuerySet

from phases.models import Phase
from releases import statuses
from releases.models import Promotion
from releases.queries.courses import Course, Reader
from releases.queries.next import standing, steps_of
from releases.queries.places import Move, moves
from releases.queries.shared import Named, PromotionLine


@dataclass(frozen=True)
class Cell:
    """One release in one phase; `through`: it went on to the next."""

    kind: str
    at: datetime | None = None
    text: str = ""
    promotion: int | None = None
    through: bool = False
    phase: Named | None = None


NONE = Cell("none")
SHOWN = ("failed", "errored", "rejected")


def lines(promotions: QuerySet[Promotion]) -> list[PromotionLine]:
    """These promotions as lines; the query names order and limit. One query."""
    chosen = promotions.select_related(
        "release", "environment__application", "environment__phase", "requested_by"
    ).defer("snapshot", "plan", "target", "left", "rules", "rules_read", "release__manifest", "release__notes")
    return [line(one) for one in chosen]


def line(promotion: Promotion) -> PromotionLine:
    """One promotion; its release, environment and requester are there already."""
    return PromotionLine(
        id=promotion.pk,
        release=promotion.release.version,
        application=Named.of(promotion.environment.application),
        phase=Named.of(promotion.environment.phase),
        kind=promotion.kind,
        status=promotion.status,
        words=statuses.LOOKS[promotion.status].word,
        by=promotion.requested_by.display if promotion.requested_by else "RelMan",
        at=promotion.finished_at or promotion.requested_at,
    )


def cells(view: Reader, course: Course, releases: Iterable[int]) -> Mapping[int, list[Cell]]:
    """Release -> one cell for each phase that the reader sees. One query."""
    found: dict[tuple[int, int], list[Move]] = {}
    places = {place.environment: place for place in course.places.values()}
    chosen = Promotion.objects.filter(release__in=list(releases), environment__in=list(places))
    for move in moves(chosen):
        found.setdefault((move.build.id, places[move.environment].phase), []).append(move)
    columns = [phase for phase in course.phases if view.may("view", phase.pk)]
    rows = {
        one: [_cell(view, course, phase, one, found.get((one, phase.pk), [])) for phase in columns] for one in releases
    }
    names = [Named.of(phase) for phase in columns]
    return {
        one: [replace(cell, phase=name) for cell, name in zip(_through(row), names, strict=True)]
        for one, row in rows.items()
    }


def _through(row: Sequence[Cell]) -> list[Cell]:
    """Mark the cells behind which the release has gone on."""
    return [
        replace(one, through=_reached(one) and after != NONE) for one, after in zip(row, [*row[1:], NONE], strict=True)
    ]


def _reached(cell: Cell) -> bool:
    return cell.kind in ("passed", "here", "back")


def _cell(view: Reader, course: Course, phase: Phase, release: int, history: Sequence[Move]) -> Cell:
    """What one release's promotions into one phase amount to; oldest first."""
    place = course.places.get(phase.pk)
    opened = next((move for move in reversed(history) if move.status in statuses.OPEN), None)
    if opened:
        return _open(view, phase, opened)
    if place and place.live and place.live.build.id == release:
        return Cell("here", place.live.finished_at, "Running", place.live.id)
    done = [move for move in history if move.status == "succeeded"]
    if done:
        last = max(done, key=lambda move: move.finished_at or move.requested_at)
        live = place.live if place else None
        back = bool(live and live.kind == "rollback" and live.build.precedence < last.build.precedence)
        return Cell("back" if back else "passed", last.finished_at, "Rolled back" if back else "", last.id)
    bad = next((move for move in reversed(history) if move.status in SHOWN), None)
    if bad:
        return Cell(bad.status, bad.finished_at, statuses.LOOKS[bad.status].word, bad.id)
    return NONE


def _open(view: Reader, phase: Phase, move: Move) -> Cell:
    if move.status in statuses.ACTIVE:
        at, total = steps_of(move)
        return Cell("running", move.started_at, f"Step {at} of {total}" if total else "Running", move.id)
    if move.status == "queued":
        return Cell("queued", move.queued_at, "Queued", move.id)
    return Cell("waiting", move.requested_at, approvals_text(view, phase.pk, move) or "Waiting", move.id)


def approvals_text(view: Reader, phase: int, move: Move) -> str:
    """`1 of 3 approvals`; empty when none is needed."""
    seats = standing(view, phase, move)
    needed = sum(seat.rule.count for seat in seats)
    given = sum(len(seat.by) for seat in seats)
    return f"{given} of {needed} approvals" if needed else ""
