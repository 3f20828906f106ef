"""What stands where: every visible environment with what is live in it and what is pending for it.

Board, application page, environment page and sidebar read it; it costs the same number of
queries for five applications and for five hundred. What is live is derived: the last succeeded
promotion by finish time, one look into a partial index for each environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, CharField, Expression, F, JSONField, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Concat, JSONObject, NullIf, Trim

from phases import configuration
from phases.models import Environment, Lock
from releases import reality, statuses
from releases.models import Approval, Promotion, Release, Step
from releases.queries.holding import standing
from releases.reality import Drift

TROUBLE = ("failed", "errored", "rejected")
"""Ends that a tile goes on showing until something succeeds after them."""
RECENT = 5
"""Successes of an environment in which a tile looks for a release to go back to."""


@dataclass(frozen=True)
class Build:
    """A release as far as a tile needs it."""

    id: int
    version: str
    precedence: str
    channel: str
    withdrawn: str
    required: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mark:
    """One valid decision on a promotion."""

    person: int
    name: str
    decision: str
    comment: str
    seal: str
    at: datetime


@dataclass(frozen=True)
class Line:
    """One step of a plan that is being carried out."""

    number: int
    name: str
    when: str
    status: str
    detail: str


@dataclass(frozen=True)
class Move:
    """A promotion as far as a tile and its sentence need it."""

    id: int
    environment: int
    build: Build
    kind: str
    status: str
    reason: str
    requested_by: int | None
    authors: tuple[int | None, ...]
    requested_at: datetime
    not_before: datetime | None
    not_after: datetime | None
    approve_before: datetime | None
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    revision: int
    seal: str = ""
    allow_lower: bool = False
    missing: tuple[str, ...] = ()
    """Keys that its release requires and its frozen configuration does not set."""
    rules: tuple[dict[str, Any], ...] = ()
    marks: tuple[Mark, ...] = ()
    steps: tuple[Line, ...] = ()
    emergency_at: datetime | None = None
    """Since when it is in the emergency lane."""
    usual: float | None = None
    """Seconds: median of the last five that succeeded here; None with fewer than three."""


@dataclass(frozen=True)
class LockHold:
    """A lock that holds the environment."""

    reason: str
    by: str
    phase: bool
    until: datetime | None = None
    """When it ends by itself."""


@dataclass(frozen=True)
class Place:
    """One environment: health, locks, what is live, what is pending, what ended badly since."""

    environment: int
    application: int
    phase: int
    instances: int
    health: str
    health_detail: str
    health_since: datetime | None
    findings: tuple[dict[str, Any], ...]
    checked_at: datetime | None
    holds: tuple[LockHold, ...]
    drift: Drift | None = None
    """Where what runs is not what the record says."""
    drift_since: datetime | None = None
    live: Move | None = None
    open: tuple[Move, ...] = ()
    """Oldest first."""
    trouble: Move | None = None
    back: bool = False
    """Whether another release than the live one has succeeded there lately, and was not rolled back."""

    @property
    def running(self) -> Move | None:
        """What occupies it now."""
        return next((move for move in self.open if move.status in statuses.ACTIVE), None)

    @property
    def behind(self) -> list[Move]:
        """What is queued while something runs."""
        return [move for move in self.open if move.status == "queued"] if self.running else []

    @property
    def pending(self) -> Move | None:
        """What a tile shows beside the version that is live."""
        if self.running:
            return self.running
        return self.open[-1] if self.open else self.trouble

    @property
    def shown(self) -> list[Move]:
        """All of which a tile speaks."""
        return [move for move in (self.live, self.pending, *self.behind) if move]


def display(prefix: str = "") -> Expression:
    """The name that pages use for a user, in SQL; the same as `User.display`."""
    full = Trim(Concat(f"{prefix}first_name", Value(" "), f"{prefix}last_name"))
    return Coalesce(
        NullIf(f"{prefix}name", Value("")), NullIf(full, Value("")), f"{prefix}username", output_field=CharField()
    )


def _live(environment: str = "pk") -> QuerySet[Promotion]:
    """What is live in an environment: its last succeeded promotion by finish time."""
    return Promotion.objects.filter(environment=OuterRef(environment), status="succeeded").order_by("-finished_at")


def _environments(environments: QuerySet[Environment]) -> Iterable[Mapping[str, Any]]:
    """One row an environment, with what is live and the last bad end: number, finish time, status."""
    trouble = Promotion.objects.filter(environment=OuterRef("pk"), status__in=TROUBLE).order_by("-finished_at")
    locks = Lock.objects.filter(
        Q(environment=OuterRef("pk")) | Q(phase=OuterRef("phase_id")), released_at=None
    ).order_by("id")
    end = JSONObject(id="pk", at="finished_at", status="status")
    hold = JSONObject(reason="reason", by=display("by__"), phase="phase_id", until="until")
    return (
        environments.order_by()
        .annotate(
            live=Subquery(_live().values(json=end)[:1]),
            trouble=Subquery(trouble.values(json=end)[:1]),
            holds=ArraySubquery(locks.values(json=hold)),
            ran=ArraySubquery(_live().values("release_id")[:RECENT]),
            left=ArraySubquery(standing().filter(environment=OuterRef("pk")).values("release_id")),
        )
        .values(
            "id", "application_id", "phase_id", "instances", "health", "health_detail", "health_since", "findings",
            "checked_at", "live", "trouble", "holds", "drift", "drift_since", "ran", "left",
        )
    )  # fmt: skip


def _only(status: Iterable[str], expression: Any, field: Any) -> Case:
    """The expression where the status is one of these, else NULL: the database skips the work."""
    return Case(When(status__in=list(status), then=expression), default=None, output_field=field)


def _promotions(chosen: QuerySet[Promotion]) -> Iterable[Mapping[str, Any]]:
    """One row a promotion; approvals and steps only where a sentence needs them."""
    approvals = Approval.objects.filter(promotion=OuterRef("pk"), voided_at=None).order_by("at")
    mark = JSONObject(
        person="person_id", name=display("person__"), decision="decision", comment="comment", seal="seal", at="at"
    )
    steps = Step.objects.filter(promotion=OuterRef("pk")).order_by("number")
    line = JSONObject(number="number", name="name", when="when", status="status", detail="detail")
    took = _live("environment_id").annotate(took=F("finished_at") - F("started_at")).values("took")[:5]
    marks, lines = ArraySubquery(approvals.values(json=mark)), ArraySubquery(steps.values(json=line))
    usual = ArraySubquery(took)
    shown = ("waiting", "queued", "rejected")
    return (
        chosen.order_by("id")
        .annotate(
            marks=_only(shown, marks, marks.output_field),
            carried=_only((*statuses.ACTIVE, "failed", "errored"), lines, lines.output_field),
            took=_only((*statuses.ACTIVE, "queued"), usual, usual.output_field),
            needs=_only(statuses.PENDING, F("rules"), JSONField()),
            frozen=_only(statuses.PENDING, F("snapshot"), JSONField()),
        )
        .values(
            "id", "environment_id", "kind", "status", "reason", "requested_by_id", "requested_at", "not_before",
            "not_after", "approve_before", "queued_at", "started_at", "finished_at", "revision", "seal",
            "release_id", "release__version", "release__precedence", "release__channel", "release__withdrawn",
            "release__author_user_id", "release__published_by_id", "release__manifest__configuration__required",
            "marks", "carried", "took", "needs", "frozen", "allow_lower", "emergency_at",
        )
    )  # fmt: skip


def _build(row: Mapping[str, Any], prefix: str = "") -> Build:
    return Build(
        row[prefix.replace("__", "_id") if prefix else "id"],
        row[f"{prefix}version"],
        row[f"{prefix}precedence"],
        row[f"{prefix}channel"],
        row[f"{prefix}withdrawn"],
        required_keys(row[f"{prefix}manifest__configuration__required" if prefix else "required"]),
    )


def required_keys(raw: Any) -> tuple[str, ...]:
    """The keys a manifest requires; anything else than a list of words counts as none."""
    return tuple(key for key in raw if isinstance(key, str)) if isinstance(raw, list) else ()


def usual(took: Iterable[timedelta | None]) -> float | None:
    """Seconds: the median of the durations; None with fewer than three."""
    known = [span.total_seconds() for span in took if span is not None]
    return median(known) if len(known) >= 3 else None


def _move(row: Mapping[str, Any]) -> Move:
    return Move(
        id=row["id"],
        environment=row["environment_id"],
        build=_build(row, "release__"),
        kind=row["kind"],
        status=row["status"],
        reason=row["reason"],
        requested_by=row["requested_by_id"],
        authors=(row["release__author_user_id"], row["release__published_by_id"]),
        requested_at=row["requested_at"],
        not_before=row["not_before"],
        not_after=row["not_after"],
        approve_before=row["approve_before"],
        queued_at=row["queued_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        revision=row["revision"],
        seal=row["seal"],
        allow_lower=row["allow_lower"],
        emergency_at=row["emergency_at"],
        missing=_missing(row),
        rules=tuple(row["needs"] or ()),
        marks=tuple(_mark(mark) for mark in row["marks"] or ()),
        steps=tuple(Line(**line) for line in row["carried"] or ()),
        usual=usual(row["took"] or ()),
    )


def _mark(raw: Mapping[str, Any]) -> Mark:
    return Mark(**{**raw, "at": datetime.fromisoformat(raw["at"])})


def _missing(row: Mapping[str, Any]) -> tuple[str, ...]:
    if row["frozen"] is None:
        return ()
    return tuple(configuration.missing(row["frozen"], required_keys(row["release__manifest__configuration__required"])))


def moves(chosen: QuerySet[Promotion]) -> list[Move]:
    """These promotions as moves, oldest first; one query."""
    return [_move(row) for row in _promotions(chosen)]


def places(environments: QuerySet[Environment]) -> list[Place]:
    """These environments as places; two queries, however many."""
    rows = list(_environments(environments))
    wanted = {end["id"] for row in rows for end in (row["live"], _since(row["trouble"], row["live"])) if end}
    inside = [row["id"] for row in rows]
    found = moves(
        Promotion.objects.filter(Q(pk__in=wanted) | Q(status__in=statuses.OPEN, environment_id__in=inside))
    ) if rows else []  # fmt: skip
    by_id = {move.id: move for move in found}
    waiting: dict[int, list[Move]] = {}
    for move in found:
        if move.status in statuses.OPEN:
            waiting.setdefault(move.environment, []).append(move)
    return [_place(row, by_id, tuple(waiting.get(row["id"], ()))) for row in rows]


def _hold(raw: Mapping[str, Any]) -> LockHold:
    until = datetime.fromisoformat(raw["until"]) if raw["until"] else None
    return LockHold(raw["reason"], raw["by"] or "RelMan", bool(raw["phase"]), until)


def _place(row: Mapping[str, Any], by_id: Mapping[int, Move], opened: tuple[Move, ...]) -> Place:
    bad = _since(row["trouble"], row["live"])
    return Place(
        environment=row["id"],
        application=row["application_id"],
        phase=row["phase_id"],
        instances=row["instances"],
        health=row["health"],
        health_detail=row["health_detail"],
        health_since=row["health_since"],
        findings=tuple(row["findings"] or ()),
        checked_at=row["checked_at"],
        holds=tuple(_hold(hold) for hold in row["holds"]),
        drift=reality.of_json(row["drift"]),
        drift_since=row["drift_since"],
        live=by_id.get(row["live"]["id"]) if row["live"] else None,
        open=opened,
        trouble=by_id.get(bad["id"]) if bad else None,
        back=bool({*row["ran"]} - {*row["ran"][:1], *row["left"]}),
    )


def _since(trouble: dict[str, Any] | None, live: dict[str, Any] | None) -> dict[str, Any] | None:
    """A bad end that nothing has healed since: an unknown outcome always stands until a person decides."""
    if trouble is None or live is None or trouble["status"] == "errored":
        return trouble
    newer = datetime.fromisoformat(trouble["at"]) > datetime.fromisoformat(live["at"])
    return trouble if newer else None


def newest_release() -> Subquery:
    """For a query over applications: the highest release that is not withdrawn, as JSON."""
    best = Release.objects.filter(application=OuterRef("pk"), withdrawn="").order_by("-precedence")
    shape = JSONObject(
        id="id", version="version", precedence="precedence", channel="channel", withdrawn="withdrawn",
        required="manifest__configuration__required",
    )  # fmt: skip
    return Subquery(best.values(json=shape)[:1])


def build_of(raw: Mapping[str, Any] | None) -> Build | None:
    """What `newest_release` answered."""
    return _build(raw) if raw else None


def reached(releases: Iterable[int]) -> dict[int, frozenset[int]]:
    """Release -> phases where it has succeeded; one query.

    One look into a partial index for each environment of its application: a release that succeeded a hundred times
    costs what one costs that did once.
    """
    once = Promotion.objects.filter(release=OuterRef("pk"), environment=OuterRef("place"), status="succeeded")
    rows = Release.objects.filter(pk__in=list(releases)).order_by()
    rows = rows.annotate(place=F("application__environments__id"), phase=F("application__environments__phase_id"))
    done: dict[int, set[int]] = {}
    # No EXISTS: the database would make a join of it, and read all that ever succeeded.
    for release, phase, found in rows.values_list("pk", "phase", Subquery(once.order_by().values("pk")[:1])):
        if found is not None:
            done.setdefault(release, set()).add(phase)
    return {release: frozenset(phases) for release, phases in done.items()}
