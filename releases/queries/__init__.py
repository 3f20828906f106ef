"""Reads: what pages, API and command line show. Every one of them asks for whom it reads."""

from phases.queries import get_application, get_environment

from .application import application_page, applications_page, releases_page
from .approvals import approvals_page
from .approve import approve_page
from .audit import audit_page, events_of
from .board import board, row, table
from .comparison import compare
from .configuration import configuration_page
from .dialogs import promote_dialog, rollback_dialog
from .drift import DriftShown, drift_dialog
from .drift import shown as drift_shown
from .environment import environment_page
from .facts import facts_of
from .health import health_changes
from .locks import lock_dialog
from .logs import log, log_text
from .lookups import (
    get_promotion,
    get_release,
    live_of,
    live_promotions,
    next_version,
    visible_promotions,
    visible_releases,
)
from .maintenance import state as maintenance_state
from .offers import preview, verdicts_of
from .pipeline import phase_page, pipeline_page
from .promotion import promotion_log, promotion_page
from .queue import queue_of
from .release import release_page, withdraw_dialog
from .search import search
from .shell import shell
from .waiting import waiting
from .way_back import way_back

__all__ = [
    "DriftShown",
    "application_page",
    "applications_page",
    "approvals_page",
    "approve_page",
    "audit_page",
    "board",
    "compare",
    "configuration_page",
    "drift_dialog",
    "drift_shown",
    "environment_page",
    "events_of",
    "facts_of",
    "get_application",
    "get_environment",
    "get_promotion",
    "get_release",
    "health_changes",
    "live_of",
    "live_promotions",
    "lock_dialog",
    "log",
    "log_text",
    "maintenance_state",
    "next_version",
    "phase_page",
    "pipeline_page",
    "preview",
    "promote_dialog",
    "promotion_log",
    "promotion_page",
    "queue_of",
    "release_page",
    "releases_page",
    "rollback_dialog",
    "row",
    "search",
    "shell",
    "table",
    "verdicts_of",
    "visible_promotions",
    "visible_releases",
    "waiting",
    "way_back",
    "withdraw_dialog",
]
