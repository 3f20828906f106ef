"""Whether a rehearsal of the way back is possible now, and what it would do."""

from __future__ import annotations

from dataclasses import dataclass

from phases import permissions
from phases.models import Environment
from releases import statuses
from releases.models import Promotion, Rehearsal
from releases.models.way_back import REHEARSAL_OPEN
from releases.queries.lookups import live_of
from releases.queries.shared import Named
from releases.queries.way_back import WayBack, way_back


def obstacles(environment: Environment, live: Promotion | None, back: WayBack) -> list[str]:
    """Why no rehearsal is possible there now; empty: it is."""
    phase = environment.phase
    if permissions.last_phase(phase.pipeline).pk == phase.pk:
        return [f"{phase.name} is the last phase: rehearse in an earlier one, and here roll back when it is meant."]
    if live is None:
        return [f"Nothing runs in {phase.name} yet, so there is nothing to rehearse."]
    found = [] if back.ready else [back.sentence]
    moving = Promotion.objects.filter(environment=environment, status__in=(*statuses.OPEN, "errored"))
    one = moving.select_related("release").order_by("id").first()
    if one is not None:
        word = statuses.LOOKS[one.status].word.lower()
        found.append(f"Promotion {one.pk} of {one.release.version} is {word}: a rehearsal needs the place for itself.")
    if Rehearsal.objects.filter(environment=environment, state__in=REHEARSAL_OPEN).exists():
        found.append(f"A rehearsal goes on in {phase.name} already.")
    return found


@dataclass(frozen=True)
class RehearseDialog:
    """What a rehearsal would do, or why it cannot."""

    application: Named
    phase: Named
    leaves: str | None
    way: WayBack
    against: list[str]
    possible: bool


def rehearse_dialog(environment: Environment) -> RehearseDialog:
    """What a rehearsal of the way back would do there."""
    live, back = live_of(environment), way_back(environment)
    against = obstacles(environment, live, back)
    return RehearseDialog(
        application=Named.of(environment.application),
        phase=Named.of(environment.phase),
        leaves=live.release.version if live else None,
        way=back,
        against=against,
        possible=not against,
    )
