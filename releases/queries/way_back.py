"""Whether the way back works: computed from what is there now, not from hope."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import F

from phases import configuration
from phases.models import Environment
from releases import storage
from releases.models import Promotion, Release
from releases.queries.holding import standing
from releases.queries.lookups import live_of
from releases.queries.places import usual
from releases.queries.rehearsals import Rehearsed, last_before
from relman.errors import RelManError


@dataclass(frozen=True)
class WayBack:
    """Where a rollback would lead, and what speaks against it; `problems` empty: it is ready."""

    release: Release | None
    problems: tuple[str, ...]
    usual: float | None = None
    """Seconds that a rollback there usually takes."""
    rehearsal: Rehearsed | None = None
    """The newest there or in an earlier phase: of this pair of releases if there is one."""

    one_way: str = ""
    """Of the problems, the one that the migration of what is left cannot be undone; empty: it can."""

    nothing: str = ""
    """Without a release: why there is none."""

    @property
    def missing(self) -> tuple[str, ...]:
        """The other problems: nobody can accept them."""
        return tuple(one for one in self.problems if one != self.one_way)

    @property
    def ready(self) -> bool:
        """Whether a rollback would work now, as far as one can know."""
        return self.release is not None and not self.problems

    @property
    def sentence(self) -> str:
        """What people read."""
        if self.release is None:
            return self.nothing
        if self.problems:
            return " ".join(self.problems)
        return f"Back to {self.release.version} is ready: its artifact is there, its configuration can be read."


@dataclass(frozen=True)
class Readiness:
    """Where one would return to, what is missing for it, and why the migration of what is left cannot be undone."""

    last: Promotion
    problems: tuple[str, ...]
    one_way: str


def readiness(environment: Environment, leaving: Release | None) -> Readiness | None:
    """What the gate asks: three queries. None: there is nothing to go back to."""
    last = _last_good(environment, leaving)
    if last is None:
        return None
    return Readiness(last, tuple(filter(None, [_artifact(last), _snapshot(last)])), _migration(leaving))


def way_back(environment: Environment, coming: Release | None = None) -> WayBack:
    """The way back from `coming`, once it serves (default: from what is live now). A fixed number of queries."""
    live = live_of(environment)
    leaving = coming or (live.release if live else None)
    found = readiness(environment, leaving)
    if found is None:
        return WayBack(None, (), nothing=_nothing(environment, leaving))
    problems = (*found.problems, found.one_way) if found.one_way else found.problems
    rehearsed = last_before(environment, leaving, found.last.release)
    return WayBack(found.last.release, problems, usual_rollback(environment), rehearsed, found.one_way)


def usual_rollback(environment: Environment) -> float | None:
    """Seconds: the median of the last five rollbacks there, or with fewer than three of any promotions there."""
    done = Promotion.objects.filter(environment=environment, status="succeeded", started_at__isnull=False)
    took = done.order_by("-finished_at").annotate(took=F("finished_at") - F("started_at"))
    back = usual(took.filter(kind="rollback").values_list("took", flat=True)[:5])
    return usual(took.values_list("took", flat=True)[:5]) if back is None else back


def _nothing(environment: Environment, leaving: Release | None) -> str:
    others = Promotion.objects.filter(environment=environment, status="succeeded").exclude(release=leaving)
    if others.exists():
        return "Nothing to go back to: what else succeeded here was withdrawn, or left by a rollback itself."
    return "Nothing to go back to: no other release has succeeded here yet."


def _last_good(environment: Environment, leaving: Release | None) -> Promotion | None:
    """The last success of another release that is neither withdrawn nor held, with the configuration it ran with."""
    done = Promotion.objects.filter(environment=environment, status="succeeded", release__withdrawn="")
    others = done.exclude(release=leaving) if leaving else done
    left = standing().filter(environment=environment).values("release")
    return others.exclude(release__in=left).select_related("release").order_by("-finished_at").first()


def _artifact(last: Promotion) -> str:
    artifact = last.release.artifacts.first()
    if artifact is None:
        return "Its artifact is not recorded."
    return storage.problem(artifact.digest, artifact.size, artifact.removed_at)


def _snapshot(last: Promotion) -> str:
    try:
        configuration.reveal(last.snapshot)
    except RelManError as error:
        return f"The configuration {last.release.version} ran with cannot be read: {error}"
    return ""


def _migration(leaving: Release | None) -> str:
    migrate = leaving.manifest.get("migrate") if leaving else None
    if leaving is None or not migrate or migrate.get("reversible"):
        return ""
    return f"The migration of {leaving.version} is not marked reversible: ask its author before you count on it."
