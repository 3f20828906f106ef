"""What pending changes of access mean, in sentences. The preview and the save both ask here; no query is made."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from phases.models import Phase, Rule, User

from .state import DropRule, Edit, End, Join, Leave, NewRule, SetRule, State, Tick, after, holder_of, name_of
from .table import LABELS, RIGHTS
from .wording import counted, joined, last_day, names

GRAVE = ("break_glass", "manage_access")
"""Rights that let somebody pass every gate, or give themselves any other right."""


@dataclass(frozen=True)
class Line:
    """One change in words. `tone`: warn, add or take; `key` names it for Undo, empty where nothing can be undone."""

    key: str
    tone: str
    head: str
    text: str = ""


@dataclass(frozen=True)
class Plan:
    """What would happen: the changes in words, what forbids them, and the access there would be."""

    edits: tuple[Edit, ...]
    before: State
    after: State
    lines: tuple[Line, ...]
    blocked: tuple[str, ...] = ()
    """Rules that nobody could meet any more: nothing is saved while there are any."""
    own: tuple[str, ...] = ()
    """Phases where whoever saves would lose the right to manage access."""
    notes: tuple[str, ...] = ()

    @property
    def seal(self) -> str:
        """Changes with every word that is shown: what was saved is what was read."""
        said = [f"{line.key} {line.tone} {line.head} {line.text}" for line in self.lines]
        return hashlib.sha256("\n".join([*said, *self.blocked, *self.own, *self.notes]).encode()).hexdigest()[:32]


def foresee(state: State, wanted: Sequence[Edit], actor: User | None) -> Plan:
    """What these edits would do, if this person saved them now."""
    edits, notes = tidy(state, wanted)
    then = after(state, edits, actor)
    words = _Words(state, then, actor)
    lines = [words.line(edit) for edit in edits]
    stuck = {(one.rule.phase_id, one.rule.name) for one in state.unmeetable()}
    new = [one for one in then.unmeetable() if (one.rule.phase_id, one.rule.name) not in stuck]
    lines += words.later({(one.rule.phase_id, one.rule.name) for one in new}) + words.unmanaged()
    lines.sort(key=lambda line: line.tone != "warn")
    blocked = tuple(one.sentence for one in new)
    return Plan(edits, state, then, tuple(lines), blocked, words.own(), tuple(notes))


def tidy(state: State, wanted: Sequence[Edit]) -> tuple[tuple[Edit, ...], list[str]]:
    """The edits that still change something here, each once; and what was left out, in words."""
    known = {one.pk for one in state.grants}
    joins = [edit for edit in wanted if isinstance(edit, Join)]
    kept: dict[str, Edit] = {}
    for edit in wanted:
        found = _still(state, edit, known, joins)
        if found is not None:
            kept[found.key] = found
    then = after(state, list(kept.values()), None)
    notes = [said for edit in wanted if (said := _already(state, edit, kept))]
    for key, edit in list(kept.items()):
        if isinstance(edit, Tick) and not edit.on and (edit.role, edit.phase, edit.right) in then.boxes:
            del kept[key]
            role, phase = state.roles[edit.role].name, _phase(state, edit.phase).name
            notes.append(f"{role} keeps View in {phase}: the other rights there need it.")
    return tuple(kept.values()), notes


def _already(state: State, edit: Edit, kept: dict[str, Edit]) -> str:
    """Why somebody or a rule that was added changes nothing."""
    if edit.key in kept:
        return ""
    if isinstance(edit, NewRule) and edit.phase in {phase.pk for phase in state.phases}:
        return f"{_phase(state, edit.phase).name} has a rule {edit.name} already: change that one."
    if isinstance(edit, Join) and edit.role in state.roles:
        return f"{name_of(edit.holder)} has the role {state.roles[edit.role].name} there already."
    return ""


def _still(state: State, edit: Edit, known: Collection[int], joins: Sequence[Join]) -> Edit | None:
    phases = {phase.pk for phase in state.phases}
    rules = {rule.pk: rule for rule in state.rules}
    if isinstance(edit, Tick):
        same = ((edit.role, edit.phase, edit.right) in state.boxes) == edit.on
        return None if same or edit.phase not in phases or edit.role not in state.roles else edit
    if isinstance(edit, Leave):
        left = tuple(one for one in edit.grants if one in known and not _comes_back(state, one, joins))
        return Leave(left) if left else None
    if isinstance(edit, End):
        ends = {one.pk: one.until for one in state.grants}
        left = tuple(one for one in edit.grants if one in known and ends[one] != edit.until)
        return End(left, edit.until) if left else None
    if isinstance(edit, Join):
        changed = len(after(state, [edit], None).grants) != len(state.grants) or _new_end(state, edit)
        return edit if edit.role in state.roles and changed else None
    if isinstance(edit, NewRule):
        taken = any(rule.phase_id == edit.phase and rule.name == edit.name for rule in state.rules)
        return None if taken or edit.phase not in phases or edit.role not in state.roles else edit
    rule = rules.get(edit.rule)
    if rule is None or isinstance(edit, DropRule):
        return edit if rule else None
    return None if (rule.role_id, rule.count) == (edit.role, edit.count) or edit.role not in state.roles else edit


def _comes_back(state: State, grant: int, joins: Sequence[Join]) -> bool:
    """Whether who leaves is given the same role again: then only the end changes."""
    one = next(one for one in state.grants if one.pk == grant)
    return any(
        join.role == one.role_id and one.phase_id in join.phases and join.holder == holder_of(one) for join in joins
    )


def _new_end(state: State, join: Join) -> bool:
    return any(
        one.role_id == join.role and one.phase_id in join.phases and holder_of(one) == join.holder
        and one.until != join.until
        for one in state.grants
    )  # fmt: skip


def _phase(state: State, pk: int) -> Phase:
    return next(phase for phase in state.phases if phase.pk == pk)


class _Words:
    """The sentences of one plan: how people's rights and the rules differ between two states."""

    def __init__(self, before: State, then: State, actor: User | None) -> None:
        self.before, self.then, self.actor = before, then, actor
        self.had, self.have = before.rights(), then.rights()

    def line(self, edit: Edit) -> Line:
        if isinstance(edit, Tick):
            return self.tick(edit)
        if isinstance(edit, Join):
            return self.join(edit)
        if isinstance(edit, Leave):
            return self.leave(edit)
        if isinstance(edit, End):
            return self.end(edit)
        return self.rule(edit)

    # Boxes

    def tick(self, edit: Tick) -> Line:
        role, phase = self.before.roles[edit.role].name, _phase(self.before, edit.phase)
        said = f"{RIGHTS[edit.right]} {phase.name}"
        head = f"{role} may then {said}." if edit.on else f"{role} may then no longer {said}."
        impact, alarm = self.impact([(edit.role, edit.phase)]) if edit.right == "approve" else ("", False)
        parts = [self.who(edit), self.consequence(edit, phase), impact]
        grave = edit.on and edit.right in GRAVE
        tone = "warn" if alarm or grave else "add" if edit.on else "take"
        return Line(edit.key, tone, head, " ".join(part for part in parts if part))

    def who(self, edit: Tick) -> str:
        holders = (self.then if edit.on else self.before).having(edit.role, [edit.phase])
        one, other = (self.have, self.had) if edit.on else (self.had, self.have)
        place = [(person, (person.pk, edit.phase)) for person in holders]
        moved = [p for p, at in place if edit.right in one.get(at, ()) and edit.right not in other.get(at, ())]
        if not holders:
            return "Nobody has this role there."
        if not moved:
            return "Nobody gains it: who has this role could already." if edit.on else (
                "Nobody loses it: who has this role keeps it through another one."
            )  # fmt: skip
        verb = ("gains" if len(moved) == 1 else "gain") if edit.on else ("loses" if len(moved) == 1 else "lose")
        return f"{counted(moved)} {verb} it{'' if edit.on else ' at once'}: {names(moved)}."

    def consequence(self, edit: Tick, phase: Phase) -> str:
        rules = [rule.name for rule in self.then.rules if rule.phase_id == phase.pk]
        if edit.right == "promote" and edit.on:
            guard = f"It still needs what {joined(rules)} {'asks' if len(rules) == 1 else 'ask'} for."
            return guard if rules else f"No rule guards {phase.name}, so nobody has to approve."
        if edit.right == "approve":
            asked = any(rule.role_id == edit.role and rule.phase_id == phase.pk for rule in self.before.rules)
            return "" if asked else f"No rule of {phase.name} asks for this role."
        if edit.right == "break_glass" and edit.on:
            return "In an emergency they pass every gate, and the record says so."
        if edit.right == "manage_access" and edit.on:
            return "They can then give themselves and others any right there."
        keeps = (edit.role, edit.phase, "view") in self.then.boxes
        return "They still see in RelMan what runs there." if edit.right == "open" and not edit.on and keeps else ""

    # People

    def join(self, edit: Join) -> Line:
        role, where = self.before.roles[edit.role].name, self.where(edit.phases)
        end = f" until {last_day(edit.until)}" if edit.until else ""
        impact, alarm = self.impact([(edit.role, phase) for phase in edit.phases])
        people = self.then.people(edit.holder)
        own = self.actor in people
        mine = "You give this to yourself, so it does not count for an approval." if own else ""
        parts = [self.moved(people, edit.phases, gained=True), impact, mine]
        tone = "warn" if alarm or own else "add"
        return Line(
            edit.key, tone, f"{name_of(edit.holder)} joins {role}{where}{end}.", " ".join(p for p in parts if p)
        )

    def leave(self, edit: Leave) -> Line:
        grants = [one for one in self.before.grants if one.pk in edit.grants]
        phases = tuple(one.phase_id for one in grants)
        impact, alarm = self.impact([(grants[0].role_id, phase) for phase in phases])
        holder = holder_of(grants[0])
        parts = [self.moved(self.before.people(holder), phases, gained=False), impact]
        head = f"{name_of(holder)} leaves {grants[0].role.name}{self.where(phases)}."
        return Line(edit.key, "warn" if alarm else "take", head, " ".join(p for p in parts if p))

    def end(self, edit: End) -> Line:
        grants = [one for one in self.before.grants if one.pk in edit.grants]
        where = self.where([one.phase_id for one in grants])
        role, who = grants[0].role.name, name_of(holder_of(grants[0]))
        ends = f"until {last_day(edit.until)}" if edit.until else "without end"
        was = f"Today: until {last_day(grants[0].until)}." if grants[0].until else "Today: without end."
        impact, alarm = self.impact([(one.role_id, one.phase_id) for one in grants])
        head = f"{who} has the role {role}{where} {ends}."
        return Line(edit.key, "warn" if alarm else "add", head, f"{was} {impact}".strip())

    def where(self, phases: Collection[int]) -> str:
        """In which phases, or nothing when it is all of several."""
        here = [phase.name for phase in self.before.phases if phase.pk in phases]
        return "" if len(here) == len(self.before.phases) > 1 else f" in {joined(here)}"

    def moved(self, people: Iterable[User], phases: Collection[int], *, gained: bool) -> str:
        """What these people gain or lose together, phases with the same rights in one breath."""
        one, other = (self.have, self.had) if gained else (self.had, self.have)
        by_rights: dict[tuple[str, ...], list[str]] = {}
        for phase in (phase for phase in self.before.phases if phase.pk in phases):
            found = set()
            for person in people:
                found |= one.get((person.pk, phase.pk), set()) - other.get((person.pk, phase.pk), set())
            if found:
                rights = tuple(LABELS[right].lower() for right in RIGHTS if right in found)
                by_rights.setdefault(rights, []).append(phase.name)
        if not by_rights:
            return "Nothing is gained by it today." if gained else "Every right is kept through another role."
        said = [f"{', '.join(rights)} in {joined(where)}" for rights, where in by_rights.items()]
        return f"{'Gains' if gained else 'Loses'} {'; '.join(said)}."

    # Rules

    def impact(self, places: Collection[tuple[int, int]]) -> tuple[str, bool]:
        """How the rules that ask for a role in a phase can be met then; and whether that is a warning."""
        said, alarm = [], False
        for rule in self.then.rules:
            if (rule.role_id, rule.phase_id) not in places:
                continue
            was, now = len(self.before.able(rule)), self.then.able(rule)
            if was == len(now):
                continue
            scarce = len(now) <= rule.count and len(now) < was
            said.append(_met(rule, now) + (_without_spare(rule, now) if scarce else ""))
            alarm = alarm or scarce
        return " ".join(said), alarm

    def rule(self, edit: NewRule | SetRule | DropRule) -> Line:
        if isinstance(edit, DropRule):
            return self.dropped(edit)
        if isinstance(edit, NewRule):
            rule = next(one for one in self.then.rules if one.phase_id == edit.phase and one.name == edit.name)
            head = f"{rule.phase.name} gets the rule {rule.name}: {rule.count} × {rule.role.name}."
        else:
            rule = next(one for one in self.then.rules if one.pk == edit.rule)
            head = f"The rule {rule.name} of {rule.phase.name} then needs {rule.count} × {rule.role.name}."
        able = self.then.able(rule)
        scarce = len(able) <= rule.count
        text = _met(rule, able) + (_without_spare(rule, able) if scarce else "")
        return Line(edit.key, "warn" if scarce else "add", head, text + " Open promotions keep the rules they have.")

    def dropped(self, edit: DropRule) -> Line:
        rule = next(one for one in self.before.rules if one.pk == edit.rule)
        rest = [one.name for one in self.then.rules if one.phase_id == rule.phase_id]
        left = f"{joined(rest)} {'stays' if len(rest) == 1 else 'stay'}." if rest else (
            "No rule is left: whoever may promote there, promotes."
        )  # fmt: skip
        head = f"{rule.phase.name} no longer asks for {rule.name}, {rule.count} × {rule.role.name}."
        return Line(edit.key, "take" if rest else "warn", head, f"{left} Open promotions keep the rules they have.")

    def later(self, known: Collection[tuple[int, str]]) -> list[Line]:
        """Rules that will be unmeetable from a moment on because a role ends, and would not have been."""
        was, will = _ends(self.before), _ends(self.then)
        return [
            Line("", "warn", f"From {last_day(moment, first=True)} on.", sentence)
            for key, (moment, sentence) in will.items()
            if key not in known and (key not in was or was[key][0] > moment)
        ]

    def unmanaged(self) -> list[Line]:
        """Phases that only administrators could manage any more."""
        found = []
        for phase in self.before.phases:
            had, have = (
                any("manage_access" in rights for (_, where), rights in table.items() if where == phase.pk)
                for table in (self.had, self.have)
            )
            if had and not have:
                found.append(Line("", "warn", f"Nobody but administrators may then {RIGHTS['manage_access']} {phase}."))
        return found

    def own(self) -> tuple[str, ...]:
        """Phases where whoever saves loses the right to manage access."""
        if self.actor is None or self.actor.is_superuser:
            return ()
        me = self.actor.pk
        return tuple(
            phase.name
            for phase in self.before.phases
            if "manage_access" in self.had.get((me, phase.pk), ())
            and "manage_access" not in self.have.get((me, phase.pk), ())
        )


def _met(rule: Rule, able: Sequence[User]) -> str:
    return f"The rule {rule.name} of {rule.phase.name} can then be met by {counted(able)}."


def _without_spare(rule: Rule, able: Sequence[User]) -> str:
    if len(able) < rule.count:
        return f" It needs {rule.count}."
    asked = "" if rule.allow_requester else " or asked for the promotion"
    who = able[0].display if len(able) == 1 else f"one of {names(able)}"
    return f" It needs {rule.count}: while {who} is away{asked}, nothing can go to {rule.phase.name}."


def _ends(state: State) -> dict[tuple[int, str], tuple[datetime, str]]:
    """Rule -> from when on nobody can meet it, and what is missing: roles that end are looked at one after another."""
    roles = {rule.role_id for rule in state.rules}
    ends = sorted({one.until for one in state.current() if one.until and one.role_id in roles})
    found: dict[tuple[int, str], tuple[datetime, str]] = {}
    for moment in ends[:50]:
        for one in replace(state, now=moment).unmeetable(moment):
            found.setdefault((one.rule.phase_id, one.rule.name), (moment, one.sentence))
    return found
