"""A pipeline's access as one value: who has which role, what each role may do, what must be approved. Pure but `read`.

An edit is what one person wants changed; `after` says what access would then be, without touching the database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.contrib.auth.models import Group

from phases.models import Grant, Phase, Pipeline, Role, RoleRight, Rule, User
from relman import clock

from .approvers import Unmeetable, unmet
from .table import ROLES

Box = tuple[int, int, str]
"""Role, phase, right."""
Holder = User | Group


@dataclass(frozen=True)
class Tick:
    """A box of the matrix is set or cleared."""

    role: int
    phase: int
    right: str
    on: bool

    @property
    def key(self) -> str:
        return f"t.{self.role}.{self.phase}.{self.right}"


@dataclass(frozen=True)
class Join:
    """A person or a group gets a role in some phases, until a moment or without end."""

    role: int
    phases: tuple[int, ...]
    holder: Holder
    until: datetime | None = None

    @property
    def key(self) -> str:
        return f"j.{self.role}.{holder_key(self.holder)}.{'-'.join(map(str, self.phases))}"


@dataclass(frozen=True)
class Leave:
    """Grants are taken away: one person's or group's, of one role."""

    grants: tuple[int, ...]

    @property
    def key(self) -> str:
        return f"l.{'-'.join(map(str, self.grants))}"


@dataclass(frozen=True)
class End:
    """Grants get another end."""

    grants: tuple[int, ...]
    until: datetime | None

    @property
    def key(self) -> str:
        return f"e.{'-'.join(map(str, self.grants))}"


@dataclass(frozen=True)
class NewRule:
    """A phase gets an approval rule."""

    phase: int
    name: str
    role: int
    count: int

    @property
    def key(self) -> str:
        return f"n.{self.phase}.{self.name}"


@dataclass(frozen=True)
class SetRule:
    """A rule asks for another number of people, or another role."""

    rule: int
    role: int
    count: int

    @property
    def key(self) -> str:
        return f"c.{self.rule}"


@dataclass(frozen=True)
class DropRule:
    """A rule goes."""

    rule: int

    @property
    def key(self) -> str:
        return f"d.{self.rule}"


Edit = Tick | Join | Leave | End | NewRule | SetRule | DropRule
"""Each has a `key`, the same for the same wish: a page undoes it by that."""


def holder_key(holder: Holder) -> str:
    """A person or group in a form: "u12" or "g3"."""
    return f"{'u' if isinstance(holder, User) else 'g'}{holder.pk}"


def holder_of(grant: Grant) -> Holder:
    """Who has this grant."""
    holder = grant.user or grant.group
    if holder is None:
        raise ValueError(f"Grant {grant.pk} has no holder, which the table's constraint forbids.")
    return holder


def name_of(holder: Holder) -> str:
    """How sentences call a person or a group."""
    return holder.display if isinstance(holder, User) else f"The group {holder.name}"


@dataclass(frozen=True)
class State:
    """Access in those phases of one pipeline that somebody manages."""

    phases: tuple[Phase, ...]
    roles: dict[int, Role]
    boxes: frozenset[Box]
    grants: tuple[Grant, ...]
    rules: tuple[Rule, ...]
    members: dict[int, tuple[User, ...]] = field(default_factory=dict)
    """Group id -> its active people."""
    now: datetime | None = None

    def current(self, at: datetime | None = None) -> Iterator[Grant]:
        """Grants that count at a moment (default: now)."""
        moment = at or self.now
        return (one for one in self.grants if one.until is None or moment is None or one.until > moment)

    def people(self, holder: Holder) -> tuple[User, ...]:
        """The active people behind a person or a group."""
        if isinstance(holder, User):
            return (holder,) if holder.is_active else ()
        return self.members.get(holder.pk, ())

    def rights(self) -> dict[tuple[int, int], set[str]]:
        """(person, phase) -> rights there now, by any grant, and as administrator."""
        by_role: dict[tuple[int, int], set[str]] = {}
        for role, phase, right in self.boxes:
            by_role.setdefault((role, phase), set()).add(right)
        found: dict[tuple[int, int], set[str]] = {}
        for grant in self.current():
            for person in self.people(holder_of(grant)):
                here = found.setdefault((person.pk, grant.phase_id), set())
                here |= by_role.get((grant.role_id, grant.phase_id), set())
                if person.is_superuser:
                    here |= {"view", "manage_access"}
        return found

    def having(self, role: int, phases: Collection[int]) -> list[User]:
        """The people with a role in some of these phases now, by name."""
        found = {
            person.pk: person
            for grant in self.current()
            if grant.role_id == role and grant.phase_id in phases
            for person in self.people(holder_of(grant))
        }
        return sorted(found.values(), key=lambda person: person.display)

    def counting(self, phase: int, at: datetime | None = None) -> dict[int, set[int]]:
        """Person -> roles for which their approval counts in a phase; the same rule as `approvers._grants`."""
        found: dict[int, set[int]] = {}
        for grant in self.current(at):
            if grant.phase_id != phase or (grant.role_id, phase, "approve") not in self.boxes:
                continue
            for person in self.people(holder_of(grant)):
                by_group = grant.user_id is None and person.is_superuser
                if not by_group and grant.granted_by_id != person.pk:
                    found.setdefault(person.pk, set()).add(grant.role_id)
        return found

    def able(self, rule: Rule) -> list[User]:
        """Whose approval counts for a rule, by name."""
        known = {person.pk: person for grant in self.grants for person in self.people(holder_of(grant))}
        found = [known[who] for who, roles in self.counting(rule.phase_id).items() if rule.role_id in roles]
        return sorted(found, key=lambda person: person.display)

    def unmeetable(self, at: datetime | None = None) -> list[Unmeetable]:
        """The rules of all phases that nobody can meet at a moment (default: now)."""
        found: list[Unmeetable] = []
        for phase in self.phases:
            rules = [rule for rule in self.rules if rule.phase_id == phase.pk]
            approving = {role for role, where, right in self.boxes if where == phase.pk and right == "approve"}
            if rules:
                found += unmet(rules, self.counting(phase.pk, at), approving, phase)
        return found


def read(pipeline: Pipeline, phases: Collection[int], joining: Iterable[int] = ()) -> State:
    """The access of a pipeline in these of its phases. Seven queries, however many people there are.

    `joining`: ids of groups that are about to get a role there.
    """
    here = tuple(Phase.objects.filter(pipeline=pipeline, pk__in=phases).order_by("position"))
    by_id = {phase.pk: phase for phase in here}
    order = {slug: number for number, slug in enumerate(ROLES)}
    found = sorted(Role.objects.all(), key=lambda role: (order.get(role.slug, len(order)), role.name))
    roles = {role.pk: role for role in found}
    grants = tuple(Grant.objects.filter(phase__in=by_id).select_related("user", "group").order_by("created_at", "id"))
    rules = tuple(Rule.objects.filter(phase__in=by_id).order_by("name"))
    for grant in grants:
        grant.phase, grant.role = by_id[grant.phase_id], roles[grant.role_id]
    for rule in rules:
        rule.phase, rule.role = by_id[rule.phase_id], roles[rule.role_id]
    boxes = RoleRight.objects.filter(phase__in=by_id).values_list("role_id", "phase_id", "right")
    groups = {*joining, *(one.group_id for one in grants if one.group_id)}
    return State(here, roles, frozenset(boxes), grants, rules, members_of(groups), clock.now())


def members_of(groups: Iterable[int]) -> dict[int, tuple[User, ...]]:
    """Group id -> its active people. One query."""
    found: dict[int, list[User]] = {group: [] for group in groups}
    if found:
        rows = User.groups.through.objects.filter(group__in=found, user__is_active=True).select_related("user")
        for row in rows:
            found[row.group_id].append(row.user)
    return {group: tuple(people) for group, people in found.items()}


def after(state: State, edits: Sequence[Edit], giver: User | None) -> State:
    """Access as it would be: what leaves goes first, then who joins comes. `giver` is who saves."""
    boxes = set(state.boxes)
    for tick in (edit for edit in edits if isinstance(edit, Tick)):
        box = (tick.role, tick.phase, tick.right)
        (boxes.add if tick.on else boxes.discard)(box)
    boxes |= {(role, phase, "view") for role, phase, _ in boxes}
    gone = {one for edit in edits if isinstance(edit, Leave) for one in edit.grants}
    ends = {one: edit.until for edit in edits if isinstance(edit, End) for one in edit.grants}
    grants = [_copy(one, ends[one.pk], giver) if one.pk in ends else one for one in state.grants if one.pk not in gone]
    for join in (edit for edit in edits if isinstance(edit, Join)):
        grants = _joined(state, grants, join, giver)
    return replace(state, boxes=frozenset(boxes), grants=tuple(grants), rules=_rules_after(state, edits))


def _copy(one: Grant, until: datetime | None, giver: User | None) -> Grant:
    return Grant(
        pk=one.pk, role=one.role, phase=one.phase, user=one.user, group=one.group, until=until, granted_by=giver
    )


def _joined(state: State, grants: list[Grant], join: Join, giver: User | None) -> list[Grant]:
    person = join.holder if isinstance(join.holder, User) else None
    group = None if isinstance(join.holder, User) else join.holder
    for phase in (phase for phase in state.phases if phase.pk in join.phases):
        same = [
            one for one in grants
            if (one.role_id, one.phase_id) == (join.role, phase.pk) and holder_of(one) == join.holder
        ]  # fmt: skip
        if any(one.until == join.until for one in same):
            continue
        grants = [one for one in grants if one not in same]
        role = state.roles[join.role]
        new = Grant(role=role, phase=phase, user=person, group=group, until=join.until, granted_by=giver)
        new.pk = same[0].pk if same else None
        grants.append(new)
    return grants


def _rules_after(state: State, edits: Sequence[Edit]) -> tuple[Rule, ...]:
    gone = {edit.rule for edit in edits if isinstance(edit, DropRule)}
    set_to = {edit.rule: edit for edit in edits if isinstance(edit, SetRule)}
    rules = []
    for rule in (one for one in state.rules if one.pk not in gone):
        edit = set_to.get(rule.pk)
        rules.append(_rule(rule, state.roles[edit.role], edit.count) if edit else rule)
    by_id = {phase.pk: phase for phase in state.phases}
    rules += [
        Rule(phase=by_id[edit.phase], name=edit.name, role=state.roles[edit.role], count=edit.count)
        for edit in edits
        if isinstance(edit, NewRule)
    ]
    return tuple(rules)


def _rule(rule: Rule, role: Role, count: int) -> Rule:
    return Rule(
        pk=rule.pk, phase=rule.phase, name=rule.name, role=role, count=count, deadline_hours=rule.deadline_hours,
        allow_requester=rule.allow_requester, allow_author=rule.allow_author,
    )  # fmt: skip
