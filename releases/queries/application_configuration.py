"""The configuration of one application: its keys against its phases, what differs and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from phases.models import Application, Phase, Variable
from releases.queries.application import Head, course_of, head, offers_on
from releases.queries.courses import Course
from releases.queries.keys import wanted_keys
from releases.queries.shared import Named, Offer
from relman.actors import Actor

SHOWS = ("", "differ", "missing")
"""All keys, those whose values differ, those that some environment lacks."""


@dataclass(frozen=True)
class Column:
    """One phase; `exists`: the application has an environment there that the reader sees."""

    phase: Named
    exists: bool
    set: int
    missing: int


@dataclass(frozen=True)
class Value:
    """One key in one phase: its `state` is value, secret, missing (required and not set), unset, or none."""

    phase: Named
    state: str
    value: str = ""
    version: int = 0
    required_by: str = ""


@dataclass(frozen=True)
class Row:
    """One key in all phases."""

    key: str
    values: list[Value]
    differs: bool
    missing: bool


@dataclass(frozen=True)
class ApplicationConfigurationPage:
    """The whole page; `counts`: how many keys each of the filters shows."""

    application: Head
    columns: list[Column]
    rows: list[Row]
    counts: Mapping[str, int]
    offers: list[Offer]


def application_configuration_page(
    actor: Actor, application: Application, *, q: str = "", show: str = ""
) -> ApplicationConfigurationPage:
    """Keys by phase, as far as the reader sees the phases. `q`: part of a key; `show`: one of SHOWS."""
    view, course = course_of(actor, application)
    phases = [phase for phase in course.phases if view.may("view", phase.pk)]
    here, wanted = _set(course), {phase.pk: wanted_keys(course, phase) for phase in course.shown}
    names = {key for pk, key in here} | {key for keys in wanted.values() for key in keys}
    rows = [_row(key, phases, here, wanted) for key in sorted(names) if q.strip().lower() in key.lower()]
    chosen = {"": rows, "differ": [one for one in rows if one.differs], "missing": [one for one in rows if one.missing]}
    return ApplicationConfigurationPage(
        application=head(view, course),
        columns=[_column(phase, here, wanted) for phase in phases],
        rows=chosen[show],
        counts={name: len(found) for name, found in chosen.items()},
        offers=offers_on(view, course),
    )


def _set(course: Course) -> Mapping[tuple[int, str], Variable]:
    """(phase, key) -> what is set there. One query."""
    places = {place.environment: place.phase for place in course.places.values()}
    rows = Variable.objects.filter(environment__in=places).defer("ciphertext", "fingerprint")
    return {(places[one.environment_id], one.key): one for one in rows}


def _column(phase: Phase, here: Mapping[tuple[int, str], Variable], wanted: Mapping[int, Mapping[str, str]]) -> Column:
    lacking = [key for key in wanted.get(phase.pk, {}) if (phase.pk, key) not in here]
    return Column(Named.of(phase), phase.pk in wanted, sum(pk == phase.pk for pk, _ in here), len(lacking))


def _row(
    key: str,
    phases: list[Phase],
    here: Mapping[tuple[int, str], Variable],
    wanted: Mapping[int, Mapping[str, str]],
) -> Row:
    values = [_value(key, phase, here.get((phase.pk, key)), wanted) for phase in phases]
    plain = {(one.state, one.value) for one in values if one.state in ("value", "unset", "missing")}
    kinds = {one.state for one in values if one.state != "none"}
    return Row(key, values, len(plain) > 1 or len(kinds) > 1, "missing" in kinds)


def _value(key: str, phase: Phase, found: Variable | None, wanted: Mapping[int, Mapping[str, str]]) -> Value:
    named = Named.of(phase)
    if phase.pk not in wanted:
        return Value(named, "none")
    by = wanted[phase.pk].get(key, "")
    if found is None:
        return Value(named, "missing" if by else "unset", required_by=by)
    if found.secret:
        return Value(named, "secret", version=found.version, required_by=by)
    return Value(named, "value", found.value, required_by=by)
