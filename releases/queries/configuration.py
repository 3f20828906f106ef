"""The configuration of one environment: all its keys, one key to change, and who changed what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phases.models import Environment
from releases.models import Approval, Promotion
from releases.queries import history
from releases.queries.application import course_of
from releases.queries.environment import Head, head, promotions_of
from releases.queries.keys import Complete, Key, complete, keys_of, phase_before
from releases.queries.lookups import live_of
from releases.queries.shared import Entry, Named, count
from releases.statuses import PENDING
from relman.actors import Actor
from relman.errors import NotFound

KINDS = {"missing": "Missing", "differs": "Differs", "secret": "Secret"}
"""Which keys to show -> what that is called."""
MANY = 8
"""From this many keys on there is something to search."""


@dataclass(frozen=True)
class Choice:
    """One filter, and how many keys it shows."""

    name: str
    label: str
    count: int
    chosen: bool


@dataclass(frozen=True)
class ConfigurationPage:
    """The keys of an environment that were asked for, and who changed them."""

    environment: Head
    keys: list[Key]
    against: Named | None
    """The phase before, whose values stand beside these."""
    keys_total: int
    promotions_total: int
    secrets_total: int
    missing: list[Key]
    """Required and not set, whatever was asked for."""
    complete: Complete | None
    q: str
    choices: list[Choice]
    """Empty: there are too few keys to choose from."""
    history: list[Entry]
    may_configure: bool


@dataclass(frozen=True)
class KeyDialog:
    """One key as it is, and what changing it does."""

    environment: Head
    key: Key
    against: Named | None
    voids: list[str]
    """Sentences: which promotions lose their approvals."""


def configuration_page(actor: Actor, environment: Environment, q: str = "", only: str = "") -> ConfigurationPage:
    """The keys of one environment whose name or plain value has `q`; `only`: of one of KINDS."""
    view, course = course_of(actor, environment.application)
    phase = next(one for one in course.phases if one.pk == environment.phase_id)
    live, before = live_of(environment), phase_before(course, phase)
    keys = keys_of(course, environment, phase)
    changed = history.visible(actor).filter(
        application=environment.application.slug, phase_id=environment.phase_id, verb__startswith="configuration."
    )
    return ConfigurationPage(
        environment=head(view, environment),
        keys=[one for one in keys if _fits(one, q.strip().lower()) and (not only or _is(one, only))],
        against=Named.of(before) if before else None,
        keys_total=sum(one.set for one in keys),
        promotions_total=promotions_of(environment),
        secrets_total=sum(one.secret for one in keys),
        missing=[one for one in keys if not one.set],
        complete=complete(environment, live, keys),
        q=q,
        choices=_choices(keys, only) if len(keys) >= MANY or q or only else [],
        history=history.entries(changed[:30]),
        may_configure=view.may("configure", phase.pk, environment.application_id),
    )


def _fits(key: Key, word: str) -> bool:
    return word in key.key.lower() or word in (key.value or "").lower()


def _is(key: Key, kind: str) -> bool:
    if kind == "secret":
        return key.secret
    return not key.set if kind == "missing" else key.before in ("Differs", "Missing here")


def _choices(keys: Sequence[Key], only: str) -> list[Choice]:
    found = [Choice(kind, label, sum(_is(one, kind) for one in keys), kind == only) for kind, label in KINDS.items()]
    return [Choice("", "All", len(keys), not only), *(one for one in found if one.count or one.chosen)]


def key_dialog(actor: Actor, environment: Environment, name: str) -> KeyDialog:
    """One key that is set, or that a release requires. NotFound for any other."""
    view, course = course_of(actor, environment.application)
    phase = next(one for one in course.phases if one.pk == environment.phase_id)
    keys, before = keys_of(course, environment, phase), phase_before(course, phase)
    key = next((one for one in keys if one.key == name), None)
    if key is None:
        raise NotFound()
    return KeyDialog(head(view, environment), key, Named.of(before) if before else None, _voids(environment))


def _voids(environment: Environment) -> list[str]:
    """What waits here with approvals that were given for the values as they are."""
    given: dict[int, int] = {}
    waiting = Promotion.objects.filter(environment=environment, status__in=PENDING)
    counting = Approval.objects.filter(promotion__in=waiting, decision="approved", voided_at=None)
    for promotion in counting.values_list("promotion", flat=True):
        given[promotion] = given.get(promotion, 0) + 1
    rows = waiting.filter(pk__in=given).order_by("id").values_list("pk", "release__version")
    return [f"{version} loses {count(given[pk], 'approval')} and asks for them again" for pk, version in rows]
