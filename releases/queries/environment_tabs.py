"""The other tabs of an environment: all that was promoted into it, and what its instances wrote."""

from __future__ import annotations

from dataclasses import dataclass

from phases.models import Environment
from releases.models import Promotion
from releases.queries.application import course_of
from releases.queries.cells import lines
from releases.queries.environment import Head, head, promotions_of, runtime_log
from releases.queries.shared import Log, Page, PromotionLine, page_of, window
from relman.actors import Actor

ROWS = 50
LOG_LINES = 1000


@dataclass(frozen=True)
class EnvironmentPromotions:
    """One page of what was promoted into it, newest first."""

    environment: Head
    keys_total: int
    promotions_total: int
    promotions: list[PromotionLine]
    page: Page


@dataclass(frozen=True)
class EnvironmentLog:
    """The last lines that its instances wrote, without secrets."""

    environment: Head
    keys_total: int
    promotions_total: int
    log: Log | None


def environment_promotions(actor: Actor, environment: Environment, number: int = 1) -> EnvironmentPromotions:
    """All promotions into it, so many on a page."""
    view, _ = course_of(actor, environment.application)
    total = promotions_of(environment)
    page = page_of(total, number, ROWS)
    rows = Promotion.objects.filter(environment=environment).order_by("-id")[window(page, ROWS)]
    return EnvironmentPromotions(
        head(view, environment), environment.variables.count(), total, lines(rows) if total else [], page
    )


def environment_log(actor: Actor, environment: Environment) -> EnvironmentLog:
    """What its instances wrote last; asks the driver (a local look, no network)."""
    view, _ = course_of(actor, environment.application)
    return EnvironmentLog(
        head(view, environment),
        environment.variables.count(),
        promotions_of(environment),
        runtime_log(environment, LOG_LINES),
    )
