"""The matrix as rows for its template: boxes, people as chips, and the approval rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from phases.models import Grant, Phase, Role, Rule, User
from phases.permissions import LABELS, RIGHTS
from phases.permissions.changes import Plan
from phases.permissions.state import Box, DropRule, End, Join, Leave, NewRule, SetRule, State, Tick, holder_of
from phases.permissions.wording import counted, day_of, joined, last_day

from .matrix_form import Wish, box_key, kept_join, kept_rule

SOON = timedelta(days=7)
"""How long before it ends a role is pointed out."""


@dataclass(frozen=True)
class Cell:
    """One box."""

    key: str
    label: str
    word: str
    css: str
    saved: bool
    on: bool


@dataclass(frozen=True)
class Place:
    """One grant of a chip that covers several phases."""

    grant: int
    name: str
    out: bool


@dataclass(frozen=True)
class Chip:
    """A person or group with a role, in the phases where it ends at the same time."""

    key: str
    name: str
    about: str
    day: str
    was: str
    out: bool
    soon: bool
    places: list[Place]


@dataclass(frozen=True)
class Coming:
    """Somebody who was added and is not saved yet."""

    key: str
    name: str
    about: str
    kept: str


@dataclass(frozen=True)
class Row:
    """One role."""

    role: Role
    cells: list[Cell]
    chips: list[Chip]
    coming: list[Coming]
    people: str
    error: str = ""
    kept: str = ""


@dataclass(frozen=True)
class RuleRow:
    """One approval rule under its phase."""

    key: str
    rule: Rule
    count: int
    role: int
    was: str
    met: str
    tone: str
    out: bool = False
    kept: str = ""
    error: str = ""


@dataclass(frozen=True)
class Column:
    """One phase: its rights, its rules, and how many changes touch it."""

    phase: Phase
    number: int
    rights: list[tuple[str, str]]
    rules: list[RuleRow] = field(default_factory=list)
    changes: int = 0
    error: str = ""


def columns(plan: Plan, wish: Wish) -> list[Column]:
    """The phases in order. Publish exists in a pipeline's first phase only."""
    touched = _touched(plan)
    return [
        Column(
            phase,
            number,
            [(right, LABELS[right]) for right in RIGHTS if right != "publish" or phase.position == 1],
            _rules(plan, phase, wish),
            touched[phase.pk],
            wish.errors.get(f"rname-{phase.pk}", ""),
        )
        for number, phase in enumerate(plan.before.phases, start=1)
    ]


def _touched(plan: Plan) -> dict[int, int]:
    grants = {one.pk: one.phase_id for one in plan.before.grants}
    rules = {one.pk: one.phase_id for one in plan.before.rules}
    found: dict[int, int] = defaultdict(int)
    for edit in plan.edits:
        if isinstance(edit, Tick | NewRule):
            where = {edit.phase}
        elif isinstance(edit, Join):
            where = set(edit.phases)
        elif isinstance(edit, Leave | End):
            where = {grants[one] for one in edit.grants}
        else:
            where = {rules[edit.rule]}
        for phase in where:
            found[phase] += 1
    return found


def rows(plan: Plan, wish: Wish, shown: Sequence[Column]) -> list[Row]:
    """The roles by name."""
    chips, coming = _chips(plan), _coming(plan)
    return [
        Row(
            role,
            [cell for column in shown for cell in _cells(plan, role, column)],
            chips[role.pk],
            coming[role.pk],
            _people(plan.before, role),
            wish.errors.get(f"who-{role.pk}", ""),
            wish.kept.get(f"who-{role.pk}", ""),
        )
        for role in plan.before.roles.values()
    ]


def _cells(plan: Plan, role: Role, column: Column) -> list[Cell]:
    found = []
    for index, (right, word) in enumerate(column.rights):
        box: Box = (role.pk, column.phase.pk, right)
        label = f"{role.name} may {word.lower()} in {column.phase.name}"
        css = f"p-{column.number}{' a' if index == 0 else ''}"
        found.append(Cell(box_key(box), label, word, css, box in plan.before.boxes, box in plan.after.boxes))
    return found


def _people(state: State, role: Role) -> str:
    people = state.having(role.pk, [phase.pk for phase in state.phases])
    return counted(people) if people else "Nobody yet"


def _chips(plan: Plan) -> dict[int, list[Chip]]:
    """Role -> its chips, in the order in which people got the role."""
    groups: dict[tuple[int, str, datetime | None], list[Grant]] = {}
    for one in plan.before.grants:
        holder = holder_of(one)
        key = (one.role_id, f"{type(holder).__name__}{holder.pk}", one.until)
        groups.setdefault(key, []).append(one)
    found: dict[int, list[Chip]] = defaultdict(list)
    for (role, _, _), grants in groups.items():
        found[role].append(_chip(plan, sorted(grants, key=lambda one: one.phase.position)))
    return found


def _chip(plan: Plan, grants: list[Grant]) -> Chip:
    first, state = grants[0], plan.before
    holder = holder_of(first)
    leaving = {one for edit in plan.edits if isinstance(edit, Leave) for one in edit.grants}
    ends = {one: edit.until for edit in plan.edits if isinstance(edit, End) for one in edit.grants}
    places = [Place(one.pk, one.phase.name, one.pk in leaving) for one in grants]
    out = all(place.out for place in places)
    left = first.until - state.now if first.until and state.now else None
    return Chip(
        "-".join(str(one.pk) for one in grants),
        holder.display if isinstance(holder, User) else holder.name,
        _about(state, grants, left),
        day_of(ends.get(first.pk, first.until)),
        day_of(first.until),
        out,
        left is not None and left <= SOON,
        [] if len(places) == 1 else places,
    )


def _about(state: State, grants: list[Grant], left: timedelta | None) -> str:
    first, holder = grants[0], holder_of(grants[0])
    said = []
    if not isinstance(holder, User):
        said.append(f"group, {counted(state.people(holder))}")
    elif not holder.is_active:
        said.append("switched off")
    elif holder.machine:
        said.append("account")
    if len(grants) < len(state.phases):
        said.append(f"{joined([one.phase.name for one in grants])} only")
    if first.user_id and first.granted_by_id == first.user_id:
        said.append("given to oneself: no approvals")
    if left is not None:
        said.append(_end(first, left))
    return ", ".join(said)


def _end(grant: Grant, left: timedelta) -> str:
    day = last_day(grant.until)
    if left <= timedelta(0):
        return f"ended {day}"
    if left > SOON:
        return f"until {day}"
    return f"until {day}, {'today' if left.days == 0 else 'in 1 day' if left.days == 1 else f'in {left.days} days'}"


def _coming(plan: Plan) -> dict[int, list[Coming]]:
    found: dict[int, list[Coming]] = defaultdict(list)
    for edit in plan.edits:
        if not isinstance(edit, Join):
            continue
        holder, here = edit.holder, [phase.name for phase in plan.before.phases if phase.pk in edit.phases]
        said = ["group"] * (not isinstance(holder, User))
        said += [f"{joined(here)} only"] * (len(here) < len(plan.before.phases))
        said += [f"until {last_day(edit.until)}"] * bool(edit.until)
        name = holder.display if isinstance(holder, User) else holder.name
        about = ", ".join([*said, "will be added"])
        found[edit.role].append(Coming(edit.key, name, about, kept_join(edit, day_of(edit.until))))
    return found


def _rules(plan: Plan, phase: Phase, wish: Wish) -> list[RuleRow]:
    before = {rule.pk: rule for rule in plan.before.rules}
    stuck = {(one.rule.phase_id, one.rule.name) for one in plan.after.unmeetable()}
    gone = {edit.rule for edit in plan.edits if isinstance(edit, DropRule)}
    changed = {edit.rule for edit in plan.edits if isinstance(edit, SetRule)}
    found = []
    for rule in plan.before.rules:
        if rule.phase_id == phase.pk and rule.pk in gone:
            found.append(_rule_row(plan, rule, rule, "will be removed", "", wish, out=True))
    for rule in (one for one in plan.after.rules if one.phase_id == phase.pk):
        old = before.get(rule.pk) if rule.pk else None
        met, tone = _met(plan, rule, old, (phase.pk, rule.name) in stuck)
        changes = "changes: " if rule.pk in changed else "" if old else "new: "
        found.append(_rule_row(plan, rule, old, changes + met, tone, wish))
    return sorted(found, key=lambda row: row.rule.name)


def _rule_row(plan: Plan, rule: Rule, old: Rule | None, met: str, tone: str, wish: Wish, out: bool = False) -> RuleRow:
    new = NewRule(rule.phase_id, rule.name, rule.role_id, rule.count)
    return RuleRow(
        str(rule.pk) if old else new.key,
        rule,
        rule.count,
        rule.role_id,
        f"{old.role_id}.{old.count}" if old else "",
        met,
        tone,
        out,
        "" if old else kept_rule(new),
        wish.errors.get(f"count-{rule.pk}", "") if old else "",
    )


def _met(plan: Plan, rule: Rule, old: Rule | None, stuck: bool) -> tuple[str, str]:
    """How many people can meet a rule now and after the changes."""
    then, today = plan.after.able(rule), plan.before.able(old) if old else None
    was = f", by {counted(today).split()[0]} today" if today is not None and len(today) != len(then) else ""
    after = " after these changes" if was else ""
    if stuck and len(then) >= rule.count:
        return "cannot be met together with the other rules here: one person counts for one rule", "bad"
    if stuck:
        return f"can be met by {counted(then)}{after}{was}: it needs {rule.count}", "bad"
    return f"can be met by {counted(then)}{after}{was}", "warn" if len(then) == rule.count else "ok"
