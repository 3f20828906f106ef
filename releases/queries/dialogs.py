"""What a promotion or a rollback would do, said before anybody confirms it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from phases import configuration, permissions
from phases.models import Environment
from releases import gates, statuses
from releases.models import Promotion, Release
from releases.queries.application import course_of, open_first
from releases.queries.cells import lines
from releases.queries.courses import candidate
from releases.queries.differences import against_live, changes_between, differences
from releases.queries.facts import rules_of
from releases.queries.holds import HoldLine, held, hold_line
from releases.queries.lookups import live_of
from releases.queries.offers import preview
from releases.queries.progress import Estimate, usual_of
from releases.queries.shared import Difference, Named, PromotionLine
from releases.queries.way_back import WayBack, usual_rollback, way_back
from relman.actors import Actor
from relman.errors import NotFound

CHOICES = 30
"""Releases to choose from in a dialog."""


@dataclass(frozen=True)
class PromoteOffer:
    """What the promotion would be; `usual` in seconds."""

    application: Named
    version: str
    phase: Named
    kind: str
    replaces: str | None
    replaces_since: datetime | None
    changes: int
    differences: list[Difference]
    unchanged: int
    verdicts: list[gates.Verdict]
    refused: bool
    reason: str
    supersedes: list[PromotionLine]
    usual: Estimate | None
    lower: bool
    versions: list[str]
    back: WayBack
    """The way back from it, once it serves there."""
    one_way: bool = False
    """Nothing but a migration that cannot be undone refuses: who may roll back can accept that."""
    may_expedite: bool = False
    hold: HoldLine | None = None
    """The rollback that left it there: nothing brings it back by itself, and who does should know why."""


@dataclass(frozen=True)
class PromoteDialog:
    """The dialog's context."""

    offer: PromoteOffer


def promote_dialog(actor: Actor, release: Release | None, environment: Environment) -> PromoteDialog:
    """What promoting this release (None: the one that stands before the phase) into the environment would do."""
    chosen = release or _standing_before(actor, environment)
    live = live_of(environment)
    offer = preview(chosen, environment, actor=actor)
    diff, same = against_live(environment, live)
    lower = bool(live and chosen.precedence < live.release.precedence)
    changes = changes_between(chosen, live.release if live else None)
    back = way_back(environment, chosen)
    hold = held(chosen, environment.phase)
    return PromoteDialog(
        PromoteOffer(
            application=Named.of(environment.application),
            version=chosen.version,
            phase=Named.of(environment.phase),
            kind=offer.kind,
            replaces=live.release.version if live else None,
            replaces_since=live.finished_at if live else None,
            changes=len(changes),
            differences=diff,
            unchanged=same,
            verdicts=[one for one in open_first(offer.verdicts) if one.state != "passed"],
            refused=not offer.allowed,
            reason=offer.reason,
            supersedes=supersedes(environment),
            usual=usual_of(environment.pk),
            lower=lower and _only(offer.verdicts),
            versions=_versions(chosen, release),
            back=back,
            one_way=not back.missing and _only(offer.verdicts, "way back"),
            may_expedite=permissions.can(actor, "break_glass", environment),
            hold=hold_line(hold) if hold else None,
        )
    )


def _standing_before(actor: Actor, environment: Environment) -> Release:
    """What the phase before runs, else the newest release. NotFound when there is none."""
    _, course = course_of(actor, environment.application)
    phase = next(one for one in course.phases if one.pk == environment.phase_id)
    build = candidate(course, phase) or course.newest
    if build is None:
        raise NotFound(f"{environment.application.name} has no release that could be promoted.")
    return Release.objects.select_related("application__pipeline").get(pk=build.id)


def _only(verdicts: Sequence[gates.Verdict], needed: str = "version") -> bool:
    """Whether this gate refuses, and nothing but what a comment and the right can allow."""
    failed = {one.gate for one in verdicts if one.state == "failed"}
    return needed in failed and failed <= {"version", "way back"}


def _versions(chosen: Release, asked: Release | None) -> list[str]:
    """Other releases to choose from; none when one was asked for by its own page."""
    if asked is not None:
        return []
    rows = Release.objects.filter(application=chosen.application_id, withdrawn="").order_by("-precedence")
    return list(rows.values_list("version", flat=True)[:CHOICES])


def supersedes(environment: Environment) -> list[PromotionLine]:
    """Waiting and queued ones that a newer request takes the place of."""
    if environment.phase.in_order:
        return []
    return lines(Promotion.objects.filter(environment=environment, status__in=statuses.PENDING).order_by("id"))


@dataclass(frozen=True)
class Earlier:
    """A release that succeeded here before, and when it was live."""

    version: str
    at: datetime
    until: datetime | None
    by: str


@dataclass(frozen=True)
class RollbackOffer:
    """What the rollback would be; `differences`: the configuration then against today's."""

    application: Named
    phase: Named
    from_version: str | None
    to: list[Earlier]
    chosen: str
    differences: list[Difference]
    unchanged: int
    verdicts: list[gates.Verdict]
    refused: bool
    reason: str
    word: str
    """What has to be typed by hand in the last phase: the slug, unless it leads to the release before and is ready."""
    usual: float | None
    back: WayBack
    """Whether the release that is chosen by itself is ready to go back to."""
    hold: str
    """What is live, and would be held."""
    unapproved: list[Difference]
    """What today's configuration would bring that did not come with what is live, where a phase asks for approvals: a
    rollback asks for none, so whoever confirms should see it."""
    may_expedite: bool = False

    @property
    def allowed(self) -> bool:
        """Whether asking for it would be accepted."""
        return not self.refused

    @property
    def older_secrets(self) -> list[str]:
        """Secrets that were given another value since: what they were then may have been revoked."""
        return [one.key for one in self.differences if one.secret and one.kind == "changed"]


@dataclass(frozen=True)
class RollbackDialog:
    """The dialog's context."""

    offer: RollbackOffer


def rollback_dialog(actor: Actor, environment: Environment, release: Release | None = None) -> RollbackDialog:
    """What returning to an earlier release (None: the last good one) would do."""
    live = live_of(environment)
    history = _history(environment)
    ways = _ways(history, live)
    back = way_back(environment)
    chosen = _chosen(history, live, release or back.release)
    offer = (
        preview(chosen.release, environment, actor=actor, rollback=True, snapshot=chosen.snapshot) if chosen else None
    )
    today = configuration.snapshot(environment)
    diff, same = differences(chosen.snapshot, today) if chosen else ([], len(today))
    none = f"No other release has succeeded in {environment.phase.name} yet, so there is no way back."
    last = permissions.last_phase(environment.phase.pipeline)
    plain = chosen is not None and back.ready and chosen.release == back.release
    return RollbackDialog(
        RollbackOffer(
            application=Named.of(environment.application),
            phase=Named.of(environment.phase),
            from_version=live.release.version if live else None,
            to=ways,
            chosen=chosen.release.version if chosen else "",
            differences=diff,
            unchanged=same,
            verdicts=[one for one in open_first(offer.verdicts) if one.state != "passed"] if offer else [],
            refused=offer is None or not offer.allowed,
            reason=offer.reason if offer else none,
            word=environment.application.slug if last.pk == environment.phase_id and not plain else "",
            usual=usual_rollback(environment),
            back=back,
            hold=live.release.version if live and chosen and chosen.release_id != live.release_id else "",
            unapproved=differences(live.snapshot, today)[0] if live and chosen and rules_of(environment) else [],
            may_expedite=permissions.can(actor, "break_glass", environment),
        )
    )


def _history(environment: Environment) -> list[Promotion]:
    """What succeeded here, newest first."""
    done = Promotion.objects.filter(environment=environment, status="succeeded").order_by("-finished_at")
    return list(done.select_related("release__application__pipeline", "requested_by").defer("plan", "target")[:CHOICES])


def _chosen(history: Sequence[Promotion], live: Promotion | None, release: Release | None) -> Promotion | None:
    """The last success of the wanted release; without one, of the last good release before what is live."""
    now = live.release_id if live else 0
    if release is not None:
        return next((one for one in history if one.release_id == release.pk), None) or _longer_ago(live, release)
    # Held ones too: better than nothing, and said on the page.
    return next((one for one in history if one.release_id != now and not one.release.withdrawn), None)


def _longer_ago(live: Promotion | None, release: Release) -> Promotion | None:
    """Its last success there, when many came after it."""
    done = Promotion.objects.filter(environment=live.environment_id if live else None, status="succeeded")
    rows = done.filter(release=release).select_related("release__application__pipeline")
    return rows.order_by("-finished_at").first()


def _ways(history: Sequence[Promotion], live: Promotion | None) -> list[Earlier]:
    """Each release once, by its last success here, with when the next one took its place."""
    found: dict[int, Earlier] = {}
    until: datetime | None = None
    for one in history:
        if one.finished_at and (live is None or one.release_id != live.release_id) and not one.release.withdrawn:
            by = one.requested_by.display if one.requested_by else "RelMan"
            found.setdefault(one.release_id, Earlier(one.release.version, one.finished_at, until, by))
        until = one.finished_at
    return list(found.values())
