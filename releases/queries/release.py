"""One release: what changed, how far it is, what the next phase asks, and what may be done with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from phases.models import Environment, Phase
from phases.permissions import roles_with
from releases import gates, statuses
from releases.models import Promotion, Release
from releases.queries import history
from releases.queries.application import course_of, open_first
from releases.queries.approving import seats
from releases.queries.cells import Cell, cells, lines
from releases.queries.courses import Course, Reader
from releases.queries.differences import against_live, changes_between, counts, differences, summary
from releases.queries.holds import HoldLine, holds_shown
from releases.queries.lookups import live_of
from releases.queries.manifest import ManifestShown, manifest_shown
from releases.queries.next import waits_for_me
from releases.queries.offers import preview, verdicts_of
from releases.queries.places import Move
from releases.queries.shared import (
    Action,
    Approver,
    ChangeItem,
    Difference,
    Entry,
    Named,
    Offer,
    Pill,
    PromotionLine,
    promote_to,
)
from relman import words
from relman.actors import Actor


@dataclass(frozen=True)
class ArtifactLine:
    """One file of a release."""

    name: str
    digest: str
    size: int
    removed_at: datetime | None = None


@dataclass(frozen=True)
class Head:
    """The release itself."""

    application: Named
    pipeline: Named
    version: str
    channel: str
    state: str
    state_reason: str
    state_by: str
    state_at: datetime | None
    summary: str
    notes: str
    author: str
    published_by: str
    published_at: datetime
    commit: str
    artifacts: list[ArtifactLine]
    digest: str
    size: int


@dataclass(frozen=True)
class StripPhase:
    """How far the release is in one phase."""

    phase: Named
    exists: bool
    kind: str
    at: datetime | None
    text: str
    detail: str


@dataclass(frozen=True)
class Evidence:
    """Something that speaks for a build."""

    kind: str
    title: str
    text: str
    by: str
    at: datetime | None
    url: str
    tone: str


@dataclass(frozen=True)
class BuildIn:
    """The build that a phase got."""

    phase: Named
    digest: str
    equal: bool
    at: datetime | None


@dataclass(frozen=True)
class SizeChange:
    """How much larger it is than another release, in bytes; negative: smaller."""

    than: str
    bytes: int


@dataclass(frozen=True)
class Target:
    """What the next phase asks of the release."""

    phase: Named | None = None
    since: str | None = None
    differences: list[Difference] = field(default_factory=list)
    unchanged: int = 0
    verdicts: list[gates.Verdict] = field(default_factory=list)
    approvers: list[Approver] = field(default_factory=list)
    promotion: int | None = None
    primary: Action | None = None


@dataclass(frozen=True)
class ReleasePage:
    """The whole page."""

    release: Head
    size_change: SizeChange | None
    """Against the release that the target has, else the one before; None: there is none."""
    strip: list[StripPhase]
    pill: Pill
    since: str | None
    changes: list[ChangeItem]
    change_counts: dict[str, int]
    people: int
    target: Named | None
    differences: list[Difference]
    unchanged: int
    verdicts: list[gates.Verdict]
    approvers: list[Approver]
    approved: int
    promotion: int | None
    evidence: list[Evidence]
    builds: list[BuildIn]
    timeline: list[Entry]
    promotions: list[PromotionLine]
    primary: Action | None
    offers: list[Offer]
    holds: list[HoldLine]
    manifest: ManifestShown


def release_page(actor: Actor, release: Release, kind: str = "") -> ReleasePage:
    """The page of one release, for the phase that it comes to next. `kind`: only changes of that kind."""
    view, course = course_of(actor, release.application)
    columns = [phase for phase in course.phases if view.may("view", phase.pk)]
    row = cells(view, course, [release.pk])[release.pk]
    here = head_of(release)
    phase = _target(course, release, dict(zip([one.pk for one in columns], row, strict=True)))
    asked = _asked(actor, view, course, release, phase) if phase else Target()
    since = Release.objects.filter(application=release.application_id, version=asked.since or "").first()
    changes = changes_between(release, since)
    environments = [place.environment for place in course.places.values()]
    moved = Promotion.objects.filter(release=release, environment__in=environments).order_by("-id")
    return ReleasePage(
        release=here,
        size_change=_size_change(release, here.size, since),
        strip=[_strip(view, course, one, cell) for one, cell in zip(columns, row, strict=True)],
        pill=_pill(release, columns, row, asked.phase),
        since=asked.since,
        changes=[one for one in changes if kind in ("", one.kind or "other")],
        change_counts=counts(changes),
        people=len({one.author for one in changes if one.author}),
        target=asked.phase,
        differences=asked.differences,
        unchanged=asked.unchanged,
        verdicts=asked.verdicts,
        approvers=asked.approvers,
        approved=sum(one.state == "approved" for one in asked.approvers),
        promotion=asked.promotion,
        evidence=[],
        builds=_builds(course, release, here.digest),
        timeline=history.of_release(actor, release.application.slug, release.version),
        promotions=lines(moved[:20]),
        primary=asked.primary,
        offers=_offers(view, course, release),
        holds=holds_shown(view, course, release),
        manifest=manifest_shown(course, release.manifest),
    )


def head_of(release: Release) -> Head:
    """The release itself, with its files."""
    files = release.artifacts.all()
    artifacts = [ArtifactLine(one.name, f"sha256:{one.digest}", one.size, one.removed_at) for one in files]
    return Head(
        application=Named.of(release.application),
        pipeline=Named.of(release.application.pipeline),
        version=release.version,
        channel=release.channel,
        state=release.withdrawn,
        state_reason=release.withdrawn_reason,
        state_by=release.withdrawn_by.display if release.withdrawn_by else "",
        state_at=release.withdrawn_at,
        summary=summary(release),
        notes=release.notes,
        author=release.author,
        published_by=release.published_by.display if release.published_by else "",
        published_at=release.published_at,
        commit=release.commit,
        artifacts=artifacts,
        digest=artifacts[0].digest if artifacts else "",
        size=sum(one.size for one in artifacts),
    )


def _size_change(release: Release, size: int, since: Release | None) -> SizeChange | None:
    lower = Release.objects.filter(application=release.application_id, precedence__lt=release.precedence)
    than = since if since and since.pk != release.pk else lower.order_by("-precedence").first()
    if than is None:
        return None
    sizes = than.artifacts.values_list("size", flat=True)
    return SizeChange(than.version, size - sum(sizes)) if sizes else None


# --- how far it is


def _strip(view: Reader, course: Course, phase: Phase, cell: Cell) -> StripPhase:
    exists = phase.pk in course.places
    text, detail = "", ""
    if cell.kind == "here" and cell.at:
        detail = f"Running, {words.age((view.now - cell.at).total_seconds())}"
    elif cell.kind == "running":
        text, detail = "Running", cell.text
    elif cell.kind in ("waiting", "queued", "failed", "errored", "rejected", "back"):
        text = cell.text
    elif cell.kind == "none":
        text = "Not reached"
    return StripPhase(Named.of(phase), exists, cell.kind, cell.at, text, detail)


def _pill(release: Release, columns: list[Phase], row: list[Cell], target: Named | None) -> Pill:
    if release.withdrawn:
        return Pill(release.withdrawn, release.withdrawn.capitalize())
    pressing = {"running": "On its way to", "waiting": "Waiting for", "queued": "Queued for", "errored": "Unknown in",
                "failed": "Failed in", "rejected": "Rejected for"}  # fmt: skip
    for phase, cell in reversed(list(zip(columns, row, strict=True))):
        if cell.kind == "here":
            return Pill("ok", phase.name)
        if cell.kind in pressing:
            kind = "approval" if cell.kind == "waiting" else cell.kind
            return Pill(kind, f"{pressing[cell.kind]} {phase.name}")
    return Pill("none", "Published" if target else "Replaced")


def _target(course: Course, release: Release, row: dict[int, Cell]) -> Phase | None:
    """The phase it comes to next: the first after the furthest that it has reached."""
    reached = [phase.position for phase in course.shown if row[phase.pk].kind in ("here", "passed", "back")]
    furthest = max(reached, default=-1)
    for phase in course.shown:
        live = course.places[phase.pk].live
        if phase.position > furthest and not (live and live.build.precedence > release.precedence):
            return phase
    return None


def _builds(course: Course, release: Release, digest: str) -> list[BuildIn]:
    """The digest each phase got, by the last success there."""
    places = {place.environment: place.phase for place in course.places.values()}
    rows = Promotion.objects.filter(release=release, status="succeeded", environment__in=list(places))
    last = {places[env]: (got, at) for env, got, at in rows.order_by("finished_at").values_list(
        "environment_id", "digest", "finished_at")}  # fmt: skip
    return [
        BuildIn(
            Named.of(phase), f"sha256:{last[phase.pk][0]}", f"sha256:{last[phase.pk][0]}" == digest, last[phase.pk][1]
        )
        for phase in course.shown
        if phase.pk in last
    ]


# --- what the next phase asks


def _asked(actor: Actor, view: Reader, course: Course, release: Release, phase: Phase) -> Target:
    place = course.places[phase.pk]
    environment = Environment.objects.select_related("application__pipeline", "phase__pipeline").get(
        pk=place.environment
    )
    live = live_of(environment)
    open_one = next((move for move in reversed(place.open) if move.build.id == release.pk), None)
    if open_one:
        return _pending(actor, view, release, environment, live, open_one)
    offer = preview(release, environment, actor=actor)
    diff, same = against_live(environment, live)
    primary = promote_to(release.application, phase, release.version) if offer.allowed else None
    return Target(
        Named.of(phase), live.release.version if live else None, diff, same, open_first(offer.verdicts), primary=primary
    )


def _pending(
    actor: Actor, view: Reader, release: Release, environment: Environment, live: Promotion | None, move: Move
) -> Target:
    promotion = Promotion.objects.select_related(
        "release", "environment__application__pipeline", "environment__phase", "requested_by"
    ).get(pk=move.id)
    pending = promotion.status in statuses.PENDING
    diff, same = differences(live.snapshot if live else {}, promotion.snapshot)
    mine = waits_for_me(view, environment.phase_id, move)
    primary = Action("review", f"Review for {environment.phase.name}", f"/approvals/{move.id}/") if mine else None
    return Target(
        phase=Named.of(environment.phase),
        since=live.release.version if live else None,
        differences=diff,
        unchanged=same,
        verdicts=open_first(verdicts_of(promotion, actor)) if pending else [],
        approvers=seats(actor, promotion),
        promotion=move.id,
        primary=primary,
    )


def _offers(view: Reader, course: Course, release: Release) -> list[Offer]:
    """Taking it out of circulation: roll back on the last phase."""
    if release.withdrawn == "quarantined" or not course.phases:
        return []
    last = course.phases[-1]
    base = f"/apps/{release.application.slug}/releases/{release.version}/"
    if not view.may("roll_back", last.pk, release.application_id):
        return []
    verbs = [("quarantine", "Quarantine")] if release.withdrawn else [("yank", "Yank"), ("quarantine", "Quarantine")]
    return [Offer(name, label, f"{base}{name}/") for name, label in verbs]


# --- dialogs


@dataclass(frozen=True)
class RunsIn:
    """A phase where the release is live."""

    phase: Named
    since: datetime | None


@dataclass(frozen=True)
class WithdrawDialog:
    """What taking a release out of circulation stops, and where it still runs."""

    release: Head
    stops: list[PromotionLine]
    runs: list[RunsIn]
    possible: bool
    reason: str


def withdraw_dialog(actor: Actor, release: Release) -> WithdrawDialog:
    """What a yank or a quarantine would touch."""
    view, course = course_of(actor, release.application)
    environments = [place.environment for place in course.places.values()]
    stops = Promotion.objects.filter(
        release=release, environment__in=environments, status__in=statuses.PENDING
    ).order_by("id")
    runs = [
        RunsIn(Named.of(phase), live.finished_at)
        for phase in course.shown
        if (live := course.places[phase.pk].live) and live.build.id == release.pk
    ]
    last = course.phases[-1] if course.phases else None
    may = bool(last and view.may("roll_back", last.pk, release.application_id))
    who = ", ".join(roles_with("roll_back", last)) if last and not may else ""
    return WithdrawDialog(head_of(release), lines(stops), runs, may, f"Who may: {who}." if who else "")
