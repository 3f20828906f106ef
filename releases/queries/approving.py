"""The seats of a promotion's approval rules: who decided, and who can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from phases import permissions
from phases.models import User
from releases import approvals, statuses
from releases.models import Approval, Promotion
from releases.queries.facts import authors_of, barred_people, rule_of
from releases.queries.places import Mark
from releases.queries.shared import Approver, Person, people
from relman.actors import Actor


def decisions(promotion: Promotion) -> list[Approval]:
    """The decisions that hold, oldest first: on the present seal, not withdrawn."""
    valid = Approval.objects.filter(promotion=promotion, voided_at=None, seal=promotion.seal)
    return list(valid.select_related("person").order_by("at"))


def standings(promotion: Promotion, made: Sequence[Approval]) -> list[approvals.Standing]:
    """How far each rule is. Once a promotion has left `waiting`, whoever signed keeps the seat they had."""
    rules = [rule_of(rule) for rule in promotion.rules]
    if not rules:
        return []
    able: Mapping[int, frozenset[int]] = permissions.approver_roles(promotion.environment.phase)
    if promotion.status not in statuses.PENDING:
        every = frozenset(rule.role_id for rule in rules)
        able = {one.person_id: able.get(one.person_id) or every for one in made}
    signed = [approvals.Signature(one.person_id, one.decision) for one in made]
    return approvals.assign(
        rules, signed, able, barred_people(promotion.requested_by_id, authors_of(promotion.release))
    )


def seats(actor: Actor, promotion: Promotion, made: Sequence[Approval] | None = None) -> list[Approver]:
    """One line for each needed seat, filled ones first; and whoever rejected. `made`: default, all that hold."""
    made = decisions(promotion) if made is None else made
    found = standings(promotion, made)
    marks = [Mark(one.person_id, one.person.display, one.decision, one.comment, one.seal, one.at) for one in made]
    missing = {who for seat in found if not seat.met for who in seat.candidates} - {mark.person for mark in marks}
    names = {user.pk: user.display for user in User.objects.filter(pk__in=missing)} if missing else {}
    return seated(actor, found, marks, names)


def seated(
    actor: Actor, found: Sequence[approvals.Standing], marks: Sequence[Mark], names: Mapping[int, str]
) -> list[Approver]:
    """The same from what was read for many promotions at once."""
    signed = {mark.person: mark for mark in marks}
    known = {**names, **{mark.person: mark.name for mark in marks}}
    rows = [row for seat in found for row in _of_rule(actor, seat, signed, known)]
    return [_rejected(actor, mark) for mark in marks if mark.decision == "rejected"] + rows


def _of_rule(
    actor: Actor, seat: approvals.Standing, signed: Mapping[int, Mark], names: dict[int, str]
) -> list[Approver]:
    rule = seat.rule
    taken = [
        Approver(rule.name, rule.role, "approved", _who(actor, mark), mark.at, mark.comment)
        for mark in (signed[who] for who in seat.by)
    ]
    able = people(actor, seat.candidates, names)
    only = able[0] if len(able) == 1 and seat.missing == 1 else None
    return taken + [Approver(rule.name, rule.role, "open", only, candidates=able)] * seat.missing


def _rejected(actor: Actor, mark: Mark) -> Approver:
    return Approver("", "", "rejected", _who(actor, mark), mark.at, mark.comment)


def _who(actor: Actor, mark: Mark) -> Person:
    return Person(mark.name, bool(actor.user and actor.user.pk == mark.person))
