"""Who counts for which rule: the best assignment of people to rules. Pure.

A rule names a role and a count. A person counts for a rule when one of their current
grants in the phase is the rule's role, that role may approve there, and they are
neither the requester nor the author (unless the rule says so). Each person counts
once for a promotion; the assignment is a maximum bipartite matching (augmenting
paths: Kuhn, 1955), so "one business owner and one QA engineer" is never "any two",
and never fails because the wrong one of two hats was counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """An approval that is needed: so many people of one role."""

    name: str
    role: str
    role_id: int
    count: int
    allow_requester: bool = False
    allow_author: bool = False


@dataclass(frozen=True)
class Signature:
    """One person's valid decision on the present seal."""

    person: int
    decision: str


@dataclass(frozen=True)
class Standing:
    """How far one rule is: who was counted for it, and who else could be."""

    rule: Rule
    by: tuple[int, ...]
    candidates: tuple[int, ...]
    """People who have not decided yet and would count for this rule."""

    @property
    def missing(self) -> int:
        """How many more have to approve."""
        return max(0, self.rule.count - len(self.by))

    @property
    def met(self) -> bool:
        """Whether enough did."""
        return len(self.by) >= self.rule.count


def counts(rule: Rule, person: int, approvers: Mapping[int, frozenset[int]], barred: Mapping[int, str]) -> bool:
    """Whether this person may count for this rule now."""
    if rule.role_id not in approvers.get(person, frozenset()):
        return False
    why_not = barred.get(person, "")
    return all(
        part == "" or (part == "requester" and rule.allow_requester) or (part == "author" and rule.allow_author)
        for part in why_not.split("+")
    )


def may_decide(
    rules: Sequence[Rule], person: int, approvers: Mapping[int, frozenset[int]], barred: Mapping[int, str]
) -> bool:
    """Whether this person may approve, and so reject: they would count for some rule."""
    return any(counts(rule, person, approvers, barred) for rule in rules)


def assign(
    rules: Sequence[Rule],
    signatures: Sequence[Signature],
    approvers: Mapping[int, frozenset[int]],
    barred: Mapping[int, str],
) -> list[Standing]:
    """The best assignment of those who approved to the rules, and who could still sign.

    `approvers`: person -> roles that may approve here and that they hold now.
    """
    seats = [index for index, rule in enumerate(rules) for _ in range(rule.count)]
    signed = sorted({s.person for s in signatures if s.decision == "approved"})
    able = {
        person: [seat for seat, index in enumerate(seats) if counts(rules[index], person, approvers, barred)]
        for person in signed
    }
    taken = _match(signed, able)
    decided = {s.person for s in signatures}
    return [
        Standing(
            rule,
            tuple(sorted(person for seat, person in taken.items() if seats[seat] == index)),
            tuple(sorted(p for p in approvers if p not in decided and counts(rule, p, approvers, barred))),
        )
        for index, rule in enumerate(rules)
    ]


def _match(people: Sequence[int], able: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """Seat -> person, as many seats as can be filled."""
    taken: dict[int, int] = {}

    def seat_for(person: int, tried: set[int]) -> bool:
        for seat in able[person]:
            if seat in tried:
                continue
            tried.add(seat)
            if seat not in taken or seat_for(taken[seat], tried):
                taken[seat] = person
                return True
        return False

    for person in people:
        seat_for(person, set())
    return taken


def unmeetable(rules: Sequence[Rule], approvers: Mapping[int, frozenset[int]], barred: Mapping[int, str]) -> list[Rule]:
    """The rules that could not be met even if everybody who may approve did."""
    everyone = [Signature(person, "approved") for person in approvers]
    return [standing.rule for standing in assign(rules, everyone, approvers, barred) if not standing.met]
