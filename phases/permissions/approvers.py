"""Whose approval counts where, and which rules nobody can meet."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from phases.models import Grant, Phase, RoleRight, Rule, User

from .asking import CURRENT


def _approving(phases: Iterable[int]) -> set[tuple[int, int]]:
    """(phase, role) where the role may approve."""
    return set(RoleRight.objects.filter(phase__in=phases, right="approve").values_list("phase_id", "role_id"))


def _grants(phases: Iterable[int], at: datetime | None, approving: set[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """(phase, person, role) of each grant whose approval counts: current, an active person, not given to oneself.

    A grant of a group never counts for an administrator, who can put themselves into any group.
    """
    when = CURRENT if at is None else Q(until=None) | Q(until__gt=at)
    grants = Grant.objects.filter(when, phase__in=phases)
    own = grants.filter(user__is_active=True).values_list("phase_id", "role_id", "granted_by_id", "user_id")
    group = grants.filter(group__user__is_active=True, group__user__is_superuser=False)
    rows = own.union(group.values_list("phase_id", "role_id", "granted_by_id", "group__user"))
    return [
        (phase, person, role) for phase, role, giver, person in rows if (phase, role) in approving and giver != person
    ]


def approver_roles(phase: Phase, at: datetime | None = None) -> dict[int, frozenset[int]]:
    """Person id -> ids of the roles for which their approval counts in that phase. Two queries."""
    return approver_roles_of([phase.pk], at)[phase.pk]


def approver_roles_of(phases: Iterable[int], at: datetime | None = None) -> dict[int, dict[int, frozenset[int]]]:
    """The same for several phases at once: phase id -> person id -> role ids. Two queries."""
    wanted = list(phases)
    return _people(wanted, at, _approving(wanted))


def _people(
    wanted: list[int], at: datetime | None, approving: set[tuple[int, int]]
) -> dict[int, dict[int, frozenset[int]]]:
    found: dict[int, dict[int, set[int]]] = {phase: {} for phase in wanted}
    for phase, person, role in _grants(wanted, at, approving):
        found[phase].setdefault(person, set()).add(role)
    return {phase: {who: frozenset(roles) for who, roles in people.items()} for phase, people in found.items()}


def counts_for(user: User, phase: Phase) -> frozenset[int]:
    """Ids of the roles for which this person's approval counts in that phase."""
    return approver_roles(phase).get(user.pk, frozenset())


def approvers(rule: Rule | int, phase: Phase | None = None) -> list[User]:
    """The people whose approval counts for a rule, or for a role id in a phase, by name."""
    if isinstance(rule, Rule):
        role, where = rule.role_id, rule.phase
    elif phase is not None:
        role, where = rule, phase
    else:
        raise ValueError("A role counts in a phase: name the phase.")
    people = [person for person, roles in approver_roles(where).items() if role in roles]
    return sorted(User.objects.filter(pk__in=people), key=lambda user: user.display)


@dataclass(frozen=True)
class Unmeetable:
    """A rule that nobody can meet as things are, and what is missing."""

    rule: Rule
    sentence: str


def unmeetable_rules(phase: Phase, at: datetime | None = None) -> list[Unmeetable]:
    """Rules of the phase that cannot be met now (or at a moment), each with what is missing."""
    rules = list(Rule.objects.filter(phase=phase).select_related("role").order_by("name"))
    if not rules:
        return []
    approving = _approving([phase.pk])
    people = _people([phase.pk], at, approving)[phase.pk]
    return unmet(rules, people, {role for _, role in approving}, phase)


def unmet(
    rules: Sequence[Rule], people: Mapping[int, Collection[int]], approving: Collection[int], phase: Phase
) -> list[Unmeetable]:
    """Those of a phase's rules that these people (id -> role ids that count) cannot meet. Pure.

    `approving`: ids of the roles that have *approve* there.
    """
    short = [
        Unmeetable(rule, _missing(rule, phase, have, rule.role_id in approving))
        for rule in rules
        if (have := sum(rule.role_id in roles for roles in people.values())) < rule.count
    ]
    return short or _together(rules, people, phase)


def _missing(rule: Rule, phase: Phase, have: int, approves: bool) -> str:
    if not approves:
        return (
            f"Nobody can meet the rule {rule.name} of {phase.name}: "
            f"the role {rule.role.name} does not have the right approve there."
        )
    people = "nobody has" if have == 0 else "only one person has" if have == 1 else f"only {have} people have"
    return (
        f"Nobody can meet the rule {rule.name} of {phase.name}: it needs {rule.count} × {rule.role.name}, and "
        f"{people} that role there (a role that someone gave to themselves does not count)."
    )


def _together(rules: Sequence[Rule], people: Mapping[int, Collection[int]], phase: Phase) -> list[Unmeetable]:
    """Rules that can each be met, but not all of them: one person counts for one rule only."""
    seats = [rule for rule in rules for _ in range(rule.count)]
    taken: dict[int, int] = {}
    unseated = [rule for seat, rule in enumerate(seats) if not _seat(seat, seats, people, taken, set())]
    return [
        Unmeetable(
            rule,
            f"The rules of {phase.name} cannot all be met: one person counts for one rule only, and "
            f"{rule.name} needs one more {rule.role.name} who is not needed for another rule.",
        )
        for rule in dict.fromkeys(unseated)
    ]


def _seat(
    seat: int,
    seats: Sequence[Rule],
    people: Mapping[int, Collection[int]],
    taken: dict[int, int],
    seen: set[int],
) -> bool:
    """Find a person for a seat, moving others where that helps (augmenting path)."""
    for person, roles in people.items():
        if seats[seat].role_id not in roles or person in seen:
            continue
        seen.add(person)
        if person not in taken or _seat(taken[person], seats, people, taken, seen):
            taken[person] = seat
            return True
    return False
