"""Shapes that several pages share. Templates reach them by attribute; sentences mark their strong parts with `**`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.utils.timezone import localtime

from phases.models import User
from relman import words
from relman.actors import Actor


@dataclass(frozen=True)
class Named:
    """Something with an address word and a name."""

    slug: str
    name: str

    @classmethod
    def of(cls, thing: Any) -> Named:
        """Of anything that has both."""
        return cls(thing.slug, thing.name)


@dataclass(frozen=True)
class Person:
    """A person as the reader sees them."""

    name: str
    you: bool = False

    @property
    def text(self) -> str:
        """In bold, as sentences for pages mark it."""
        return "**you**" if self.you else f"**{self.name}**"


@dataclass(frozen=True)
class Pill:
    """The state of a page's object in two words; no text: the kind's own word."""

    kind: str
    text: str = ""


@dataclass(frozen=True)
class Found:
    """One result of the search."""

    kind: str
    icon: str
    text: str
    detail: str
    url: str


@dataclass(frozen=True)
class Action:
    """The one thing that a person may do next. `url` is a page; it never acts by itself."""

    kind: str
    label: str
    url: str


def promote_to(application: Any, phase: Any, version: str) -> Action:
    """The button that opens the dialog for this release. A version may have a `+`, which is a space in an address."""
    url = f"/apps/{application.slug}/{phase.slug}/promote/?version={quote(version)}"
    return Action("promote", f"Promote to {phase.name}", url)


@dataclass(frozen=True)
class Next:
    """What happens next, and why not now."""

    kind: str
    text: str
    who: list[Person] = field(default_factory=list)
    since: datetime | None = None
    until: datetime | None = None
    action: Action | None = None


@dataclass(frozen=True)
class Offer:
    """A button: whether it can work, and if not, why."""

    name: str
    label: str
    url: str
    possible: bool = True
    reason: str = ""


@dataclass(frozen=True)
class Entry:
    """One line of a timeline."""

    at: datetime
    text: str
    tone: str = ""
    icon: str = ""
    detail: str = ""
    url: str | None = None


@dataclass(frozen=True)
class Approver:
    """One needed seat of a rule: decided by whom, or who can."""

    rule: str
    role: str
    state: str
    person: Person | None = None
    at: datetime | None = None
    comment: str = ""
    candidates: list[Person] = field(default_factory=list)


@dataclass(frozen=True)
class ChangeItem:
    """One change of a release."""

    kind: str
    title: str
    ticket: str
    author: str
    commit: str = ""
    url: str = ""
    """Where its ticket is; empty: nobody said."""


@dataclass(frozen=True)
class Difference:
    """One configuration key that differs; secrets are named by version, never shown."""

    key: str
    before: str | None
    after: str | None
    secret: bool
    kind: str


@dataclass(frozen=True)
class Page:
    """One page of a longer list."""

    number: int
    pages: int
    total: int
    first: int
    last: int
    next: int | None
    previous: int | None


@dataclass(frozen=True)
class PromotionLine:
    """A promotion as one line of a list."""

    id: int
    release: str
    application: Named
    phase: Named
    kind: str
    status: str
    words: str
    by: str
    at: datetime


@dataclass(frozen=True)
class LogText:
    """One line of a log; `tone`: "" plain, c group, g good, w warning, e error."""

    number: int
    at: datetime | None
    text: str
    tone: str = ""


@dataclass(frozen=True)
class Log:
    """A window on a log: its last lines, and whether there are earlier ones."""

    lines: list[LogText]
    step: int
    total: int
    first: int
    last: int
    earlier: bool


def page_of(total: int, number: int, size: int) -> Page:
    """The page that holds item (number - 1) * size; numbers out of range go to the nearest page."""
    pages = max(1, -(-total // size))
    number = min(max(1, number), pages)
    first = (number - 1) * size + 1 if total else 0
    return Page(
        number, pages, total, first, min(total, number * size),
        number + 1 if number < pages else None, number - 1 if number > 1 else None,
    )  # fmt: skip


def window(page: Page, size: int) -> slice:
    """Which items of the whole list this page shows."""
    return slice((page.number - 1) * size, page.number * size)


def person(actor: Actor, user: User | None) -> Person | None:
    """A user as the reader sees them; None stays None."""
    return Person(user.display, bool(actor.user and actor.user.pk == user.pk)) if user else None


def person_or_system(actor: Actor, user: User | None) -> Person:
    """As `person`; without an account it was RelMan itself."""
    return person(actor, user) or Person("RelMan")


def people(actor: Actor, ids: Iterable[int], names: dict[int, str]) -> list[Person]:
    """The reader first, then by name."""
    me = actor.user.pk if actor.user else None
    found = [Person(names.get(pk, "someone"), pk == me) for pk in ids]
    return sorted(found, key=lambda one: (not one.you, one.name))


def listed(parts: Sequence[str], limit: int = 3) -> str:
    """`a`, `a and b`, `a, b and 2 more`."""
    if len(parts) > limit:
        return f"{', '.join(parts[: limit - 1])} and {len(parts) - limit + 1} more"
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def clock(moment: datetime, now: datetime) -> str:
    """A time inside a sentence, in the reader's zone: `14:32`, `Wed 17 Jun 06:00`."""
    return words.clock(localtime(moment), localtime(now))


def near(moment: datetime, now: datetime) -> str:
    """As short as it can be said: `06:20` today, `Wed 06:20` within six days, `Wed 17 Jun` after them."""
    here, today = localtime(moment), localtime(now)
    if here.date() == today.date():
        return f"{here:%H:%M}"
    if 0 < (here.date() - today.date()).days < 7:
        return f"{words.WEEKDAYS[here.weekday()]} {here:%H:%M}"
    return words.clock(here, today).rpartition(" ")[0]


def fitted(version: str, tail: str, limit: int = 24) -> str:
    """`4.18.0 in approval`, cut in the version so that the whole has at most `limit` characters."""
    room = limit - len(tail) - 1
    shown = version if len(version) <= room else version[: max(1, room - 1)] + "…"
    return f"{shown} {tail}"[:limit]


def plain(text: str) -> str:
    """A sentence without its marks, for programs."""
    return text.replace("**", "")


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 application`, `2 applications`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
