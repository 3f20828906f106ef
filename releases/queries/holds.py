"""Releases that were rolled back, and stay away until a person says otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from phases.models import Environment, Phase
from phases.permissions import roles_with
from releases.models import Hold, Release
from releases.queries.courses import Course, Reader
from releases.queries.holding import standing
from releases.queries.shared import Named


def held(release: Release, phase: Phase) -> Hold | None:
    """What keeps anything automatic from bringing this release into this phase. People may do it all the same."""
    return standing().filter(release=release, environment__phase=phase).select_related("by").first()


@dataclass(frozen=True)
class HoldLine:
    """A hold as it is shown. `url`: where to lift it; empty: the reader may not, and `who` says who may."""

    phase: Named
    by: str
    reason: str
    since: datetime
    promotion: int
    url: str = ""
    who: str = ""


def holds_in(release: Release, environments: Iterable[Environment | int]) -> list[Hold]:
    """The holds of a release in these environments, in the order of the phases. One query."""
    rows = standing().filter(release=release, environment__in=list(environments))
    return list(rows.select_related("by", "environment__phase").order_by("environment__phase__position"))


def holds_shown(view: Reader, course: Course, release: Release) -> list[HoldLine]:
    """Where nothing brings a release by itself, as far as the reader sees; with the way to lift it for who may."""
    base = f"/apps/{release.application.slug}/releases/{release.version}/holds/"
    found = []
    for one in holds_in(release, [place.environment for place in course.places.values()]):
        phase = one.environment.phase
        may = view.may("promote", phase.pk, release.application_id)
        who = "" if may else f"Who may lift it: {', '.join(roles_with('promote', phase)) or 'nobody yet'}."
        found.append(hold_line(one, f"{base}{phase.slug}/lift/" if may else "", who))
    return found


def hold_line(hold: Hold, url: str = "", who: str = "") -> HoldLine:
    """A hold as it is shown."""
    by = hold.by.display if hold.by else "RelMan"
    return HoldLine(Named.of(hold.environment.phase), by, hold.reason, hold.at, hold.rollback_id, url, who)


@dataclass(frozen=True)
class HoldDialog:
    """What lifting would end; no hold: somebody else was quicker."""

    version: str
    phase: Named
    hold: HoldLine | None


def hold_dialog(release: Release, phase: Phase) -> HoldDialog:
    """The hold that would be lifted."""
    hold = held(release, phase)
    return HoldDialog(release.version, Named.of(phase), hold_line(hold) if hold else None)
