"""The matrix as a form: what somebody wants changed, read from what their browser sent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from django.contrib.auth.models import Group
from django.db.models import Q
from django.http import QueryDict
from django.utils import timezone

from phases.models import User
from phases.permissions import RIGHTS
from phases.permissions.state import (
    Box,
    DropRule,
    Edit,
    End,
    Holder,
    Join,
    Leave,
    NewRule,
    SetRule,
    Tick,
    holder_key,
)
from phases.permissions.wording import end_of

MOST_PEOPLE = 20
"""The most people that a rule may ask for, as its column says."""
GROUP = "Group: "


@dataclass
class Wish:
    """What was sent: the edits, and what could not be understood, by the field it belongs to."""

    edits: list[Edit] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    """What stood in fields that have an error."""


def box_key(box: Box) -> str:
    """A box in the form: "3.7.promote"."""
    return f"{box[0]}.{box[1]}.{box[2]}"


def is_number(text: str) -> bool:
    """Whether it can be the number of a row: one of thousands of digits is refused by Python with an error."""
    return text.isdecimal() and len(text) < 19


def option_of(holder: Holder) -> str:
    """A person or group as the list of suggestions offers it."""
    if isinstance(holder, User):
        return f"{holder.display} ({holder.username})"
    return f"{GROUP}{holder.name}"


def understand(data: QueryDict) -> Wish:
    """The edits of a form that was sent, without the one whose Undo was pressed."""
    wish = Wish()
    wish.edits += _ticks(data)
    wish.edits += [Leave(ids) for ids in map(_ids, data.getlist("leave")) if ids]
    wish.edits += _ends(data, wish)
    wish.edits += _kept_joins(data, wish)
    wish.edits += _new_joins(data, wish)
    wish.edits += _rules(data, wish)
    wish.edits = [edit for edit in wish.edits if edit.key != data.get("undo")]
    return wish


def _ticks(data: QueryDict) -> Iterable[Edit]:
    """Boxes that differ from how the page showed them, not from how they are now: somebody else may have come by."""
    had, have = set(data.get("was", "").split()), set(data.getlist("r"))
    for key in sorted(had ^ have):
        found = re.fullmatch(r"(\d{1,9})\.(\d{1,9})\.(\w+)", key)
        if found and found[3] in RIGHTS:
            yield Tick(int(found[1]), int(found[2]), found[3], on=key in have)


def _ids(text: str) -> tuple[int, ...]:
    return tuple(int(one) for one in text.split("-") if is_number(one))


def _ends(data: QueryDict, wish: Wish) -> Iterable[Edit]:
    for name in [name for name in data if name.startswith("end-")]:
        said, was = data.get(name, "").strip(), data.get(f"was-{name}", "").strip()
        if said == was:
            continue
        day = _day(said, name, wish)
        if name not in wish.errors:
            yield End(_ids(name.removeprefix("end-")), end_of(day))


def _day(said: str, name: str, wish: Wish) -> date | None:
    try:
        found = date.fromisoformat(said) if said else None
        if found is not None and not 1 < found.year < 9990:
            raise ValueError(said)
    except ValueError:
        wish.errors[name] = f"“{said}” is not a day. Write it like 2030-12-31."
        return None
    if found is not None and found < timezone.localdate():
        wish.errors[name] = f"{said} is over. The last day of a role is today or later."
    return found


def kept_join(edit: Join, day: str) -> str:
    """Somebody who was added and is not saved yet, as a hidden field carries them."""
    return f"{edit.role}|{holder_key(edit.holder)}|{'-'.join(map(str, edit.phases))}|{day}"


def _kept_joins(data: QueryDict, wish: Wish) -> Iterable[Edit]:
    rows = [found for text in data.getlist("join") if (found := _JOIN.fullmatch(text))]
    users = {int(row[3]) for row in rows if row[2] == "u"}
    groups = {int(row[3]) for row in rows if row[2] == "g"}
    known: dict[str, Holder] = {f"u{one.pk}": one for one in User.objects.filter(pk__in=users, is_active=True)}
    known.update({f"g{one.pk}": one for one in Group.objects.filter(pk__in=groups)})
    for row in rows:
        holder = known.get(row[2] + row[3])
        day = _day(row[5], "join", wish)
        if holder and "join" not in wish.errors:
            yield Join(int(row[1]), _ids(row[4]), holder, end_of(day))


_JOIN = re.compile(r"(\d{1,9})\|([ug])(\d{1,9})\|([\d-]*)\|([\d-]*)")


def _new_joins(data: QueryDict, wish: Wish) -> Iterable[Edit]:
    everywhere = _ids(data.get("phases", ""))
    for name in [name for name in data if name.startswith("who-")]:
        said, role = data.get(name, "").strip(), name.removeprefix("who-")
        if not said or not is_number(role):
            continue
        holder = _holder(said, name, wish)
        day = _day(data.get(f"until-{role}", "").strip(), name, wish)
        if holder is None or name in wish.errors:
            wish.kept[name] = said
            continue
        where = _ids(data.get(f"where-{role}", "")) or everywhere
        yield Join(int(role), where, holder, end_of(day))


def _holder(said: str, name: str, wish: Wish) -> Holder | None:
    """Who is meant: as the list offers them, or by account name or a display name that only one person has."""
    if said.lower().startswith(GROUP.lower()):
        found: list[Holder] = list(Group.objects.filter(name__iexact=said[len(GROUP) :].strip())[:2])
    else:
        inside = re.search(r"\(([^()]+)\)$", said)
        exact = User.objects.filter(username=inside[1] if inside else said)[:1]
        found = list(exact) or list(User.objects.filter(Q(name__iexact=said) | Q(username__iexact=said))[:2])
    if len(found) == 1:
        if isinstance(found[0], Group) or found[0].is_active:
            return found[0]
        wish.errors[name] = f"The account of {found[0]} is switched off."
        return None
    many = "More than one account is" if found else "Nobody here is"
    wish.errors[name] = f"{many} called “{said}”. Choose from the list."
    return None


def kept_rule(edit: NewRule) -> str:
    """A rule that was added and is not saved yet, as a hidden field carries it."""
    return f"{edit.phase}|{edit.role}|{edit.count}|{edit.name}"


def _rules(data: QueryDict, wish: Wish) -> Iterable[Edit]:
    dropped = {int(one) for one in data.getlist("drop") if is_number(one)}
    yield from (DropRule(rule) for rule in sorted(dropped))
    for text in data.getlist("rule"):
        phase, role, count, name = [*text.split("|", 3), "", "", ""][:4]
        if is_number(phase) and is_number(role) and name and (number := _count(count, "", wish)):
            yield NewRule(int(phase), name, int(role), number)
    for field_name in [one for one in data if one.startswith(("count-", "rname-"))]:
        kind, _, pk = field_name.partition("-")
        if not is_number(pk):
            continue
        made = _set(data, int(pk), dropped, wish) if kind == "count" else _new_rule(data, int(pk), wish)
        if made:
            yield made


def _set(data: QueryDict, rule: int, dropped: set[int], wish: Wish) -> Edit | None:
    count, role = data.get(f"count-{rule}", ""), data.get(f"role-{rule}", "")
    if rule in dropped or f"{role}.{count}" == data.get(f"was-rule-{rule}"):
        return None
    number = _count(count, f"count-{rule}", wish)
    return SetRule(rule, int(role), number) if number and is_number(role) else None


def _new_rule(data: QueryDict, phase: int, wish: Wish) -> Edit | None:
    name, role = data.get(f"rname-{phase}", "").strip(), data.get(f"rrole-{phase}", "")
    if not name:
        return None
    number = _count(data.get(f"rcount-{phase}", "1"), f"rname-{phase}", wish)
    if len(name) > 100:
        wish.errors[f"rname-{phase}"] = "The name of a rule has at most 100 characters."
        return None
    if not is_number(role):
        wish.errors[f"rname-{phase}"] = "Choose the role that the rule asks for."
        return None
    return NewRule(phase, name, int(role), number) if number else None


def _count(said: str, name: str, wish: Wish) -> int | None:
    if is_number(said) and 1 <= int(said) <= MOST_PEOPLE:
        return int(said)
    wish.errors[name] = f"A rule asks for 1 to {MOST_PEOPLE} people."
    return None
