"""The approvals inbox: what waits for the reader, for others, and what the reader decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count

from phases import permissions
from releases.models import Approval, Promotion
from releases.queries.approving import seated
from releases.queries.courses import Reader, approvers_for, reader
from releases.queries.differences import summary
from releases.queries.lookups import visible_promotions
from releases.queries.next import standing, waits_for_me
from releases.queries.places import Move, moves
from releases.queries.shared import Approver, Named, listed, person_or_system
from relman.actors import Actor

DECIDED = 50


@dataclass(frozen=True)
class Ask:
    """One promotion that waits for approvals."""

    promotion: int
    application: Named
    version: str
    phase: Named
    text: str
    not_before: datetime | None
    until: datetime | None
    approvers: list[Approver]
    changes: int


@dataclass(frozen=True)
class Decided:
    """One decision that the reader made."""

    promotion: int
    application: Named
    version: str
    phase: Named
    approved: bool
    comment: str
    at: datetime
    withdrawn: bool


@dataclass(frozen=True)
class ApprovalsPage:
    """The inbox."""

    tab: str
    you: list[Ask]
    others: list[Ask]
    decided: list[Decided]
    counts: dict[str, int]


def approvals_page(actor: Actor, tab: str = "you") -> ApprovalsPage:
    """The inbox: for you, waiting for others, decided. Sorted by deadline."""
    view = reader(actor)
    waiting = list(
        visible_promotions(actor).filter(status="waiting").exclude(rules=[]).annotate(items=Count("release__changes"))
    )
    found = {move.id: move for move in moves(Promotion.objects.filter(pk__in=[one.pk for one in waiting]))}
    approvers_for(view, [(one.environment.phase_id, found[one.pk]) for one in waiting if one.pk in found])
    asks = [(_ask(actor, view, one, found[one.pk]), mine) for one in waiting if one.pk in found
            for mine in [bool(waits_for_me(view, one.environment.phase_id, found[one.pk]))]]  # fmt: skip
    asks.sort(key=lambda item: (item[0].until is None, item[0].until or view.now, item[0].promotion))
    decided = _decided(actor)
    you, others = [ask for ask, mine in asks if mine], [ask for ask, mine in asks if not mine]
    counts = {"you": len(you), "others": len(others), "decided": len(decided)}
    return ApprovalsPage(tab if tab in counts else "you", you, others, decided, counts)


def _ask(actor: Actor, view: Reader, promotion: Promotion, move: Move) -> Ask:
    mine = waits_for_me(view, promotion.environment.phase_id, move)
    marks = [mark for mark in move.marks if mark.seal == move.seal]
    phase = promotion.environment.phase_id
    places = seated(actor, standing(view, phase, move), marks, view.names)
    text = summary(promotion.release) or f"Asked for by {person_or_system(actor, promotion.requested_by).name}"
    return Ask(
        promotion=promotion.pk,
        application=Named.of(promotion.environment.application),
        version=promotion.release.version,
        phase=Named.of(promotion.environment.phase),
        text=text if mine else _whom(places) or text,
        not_before=promotion.not_before,
        until=promotion.approve_before,
        approvers=places,
        changes=promotion.items,  # type: ignore[attr-defined]  # annotated where it is read
    )


def _whom(places: Sequence[Approver]) -> str:
    """Whom it waits for, by name when there is only one who can."""
    parts = [
        one.person.text if one.person else f"a **{one.role}**" for one in places if one.state == "open" and one.role
    ]
    return f"Waits for {listed(list(dict.fromkeys(parts)))}" if parts else ""


def _decided(actor: Actor) -> list[Decided]:
    """The reader's own decisions, newest first, as far as they still see the phase."""
    if actor.user is None:
        return []
    rows = Approval.objects.filter(
        person=actor.user, promotion__environment__in=permissions.visible_environments(actor)
    ).select_related("promotion__release", "promotion__environment__application", "promotion__environment__phase")
    return [
        Decided(
            promotion=one.promotion_id,
            application=Named.of(one.promotion.environment.application),
            version=one.promotion.release.version,
            phase=Named.of(one.promotion.environment.phase),
            approved=one.decision == "approved",
            comment=one.comment,
            at=one.at,
            withdrawn=one.voided_at is not None,
        )
        for one in rows.order_by("-at")[:DECIDED]
    ]
