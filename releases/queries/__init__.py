"""Reads: what pages, API and command line show. Every one of them asks for whom it reads."""

from .board import board, row
from .facts import facts_of
from .lookups import (
    get_application,
    get_environment,
    get_promotion,
    get_release,
    live_of,
    live_promotions,
    visible_promotions,
    visible_releases,
)
from .offers import preview, verdicts_of

__all__ = [
    "board",
    "facts_of",
    "get_application",
    "get_environment",
    "get_promotion",
    "get_release",
    "live_of",
    "live_promotions",
    "preview",
    "row",
    "verdicts_of",
    "visible_promotions",
    "visible_releases",
]
