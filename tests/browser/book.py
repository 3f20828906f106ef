"""Every page of RelMan, and the state in which it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from tests.browser.populate import LONG_SLUG, LONG_VERSION


@dataclass(frozen=True)
class Leaf:
    """One page in one state. In the path, {waiting} and its like stand for a promotion's number."""

    name: str
    state: str
    who: str
    path: str
    before: Callable[[Page], None] | None = None
    """What is done in the window first, in place of going there."""


BOOK = [
    Leaf("board", "Board, as a release manager sees it", "release-manager", "/board/"),
    Leaf("board-compact", "Board, compact rows", "release-manager", "/board/?density=compact"),
    Leaf("board-blocked", "Board, only what is blocked", "release-manager", "/board/?state=blocked"),
    Leaf("board-no-match", "Board, nothing matches the filter", "release-manager", "/board/?q=nothing"),
    Leaf("board-waiting", "Board with what waits for you", "business-owner", "/board/"),
    Leaf("approvals", "Approvals, for you to decide", "business-owner", "/approvals/"),
    Leaf("approvals-empty", "Approvals, nothing waits", "stakeholder", "/approvals/"),
    Leaf("approvals-decided", "Approvals, decided", "qa-engineer", "/approvals/?tab=decided"),
    Leaf("approve", "Approve, open", "business-owner", "/approvals/{waiting}/"),
    Leaf("approve-decided", "Approve, you have decided", "qa-engineer", "/approvals/{waiting}/"),
    Leaf("approve-read-only", "Approve, for everybody else", "developer", "/approvals/{waiting}/"),
    Leaf("approve-confirm", "Approve, the last question", "business-owner", "/approvals/{waiting}/confirm/"),
    Leaf("reject", "Reject", "business-owner", "/promotions/{waiting}/reject/"),
    Leaf("applications", "Applications", "developer", "/apps/"),
    Leaf("application", "Application, waiting for Live", "release-manager", "/apps/storefront/"),
    Leaf("application-long", "Application with a long name", "developer", f"/apps/{LONG_SLUG}/"),
    Leaf("application-empty", "Application without a release", "developer", "/apps/playground/"),
    Leaf(
        "application-configuration", "Application, its configuration by phase", "developer", "/apps/storefront/config/"
    ),
    Leaf("application-settings", "Application, its settings", "devops", "/apps/storefront/settings/"),
    Leaf("releases", "All releases", "developer", "/apps/storefront/releases/"),
    Leaf("release", "Release on its way to Live", "release-manager", "/apps/storefront/releases/1.4.0/"),
    Leaf("release-long", "Release with a long version", "developer", f"/apps/{LONG_SLUG}/releases/{LONG_VERSION}/"),
    Leaf("compare", "Compare two releases", "developer", "/apps/storefront/releases/compare/1.3.0...1.4.0/"),
    Leaf("new-release", "New release", "developer", "/apps/storefront/releases/new/"),
    Leaf("new-release-of-which", "New release, of which application", "developer", "/releases/new/"),
    Leaf("promotion-waiting", "Promotion, waiting for an approval", "release-manager", "/promotions/{waiting}/"),
    Leaf("promotion-scheduled", "Promotion, scheduled", "release-manager", "/promotions/{scheduled}/"),
    Leaf("promotion-running", "Promotion, running", "release-manager", "/promotions/{running}/"),
    Leaf("promotion-failed", "Promotion, failed and safely back", "release-manager", "/promotions/{failed}/"),
    Leaf("promotion-done", "Promotion, succeeded", "release-manager", "/promotions/{done}/"),
    Leaf("environment", "Environment that serves", "devops", "/apps/storefront/live/"),
    Leaf("environment-long", "Environment with long names", "devops", f"/apps/{LONG_SLUG}/qa/"),
    Leaf("environment-empty", "Environment without a release", "devops", "/apps/playground/dev/"),
    Leaf("environment-locked", "Environment, locked", "developer", "/apps/order-router/stage/"),
    Leaf("configuration", "Configuration of an environment", "devops", "/apps/storefront/live/configuration/"),
    Leaf("promote", "Promote", "qa-engineer", "/apps/storefront/qa/promote/?version=1.5.0-rc.1"),
    Leaf("promote-refused", "Promote, refused", "qa-engineer", "/apps/storefront/stage/promote/?version=1.5.0-rc.1"),
    Leaf("roll-back", "Roll back", "devops", "/apps/storefront/stage/rollback/"),
    Leaf("lock", "Lock an environment", "devops", "/apps/storefront/live/lock/"),
    Leaf("abort", "Abort", "release-manager", "/promotions/{running}/abort/"),
    Leaf("pipeline", "Pipeline", "release-manager", "/pipelines/shop/"),
    Leaf("phase", "Phase", "devops", "/pipelines/shop/live/"),
    Leaf("new-application", "New application", "admin", "/apps/new/"),
    Leaf("new-pipeline", "New pipeline", "admin", "/pipelines/new/"),
    Leaf("edit-phase", "Edit a phase", "admin", "/pipelines/shop/live/edit/"),
    Leaf("audit", "Audit trail", "release-manager", "/audit/"),
    Leaf("search", "Search", "release-manager", "/search/?q=store"),
    Leaf("me", "Profile", "developer", "/me/"),
    Leaf("help", "Help and shortcuts", "developer", "/help/"),
    Leaf("more", "Every page, for phones", "developer", "/more/"),
    Leaf("not-found", "Not found, or not for you", "developer", "/apps/nothing/"),
    Leaf("no-right", "You may not do that", "stakeholder", "/apps/storefront/qa/promote/?version=1.5.0-rc.1"),
    Leaf("sign-in", "Sign-in", "", "/signin/"),
    Leaf("api", "API", "developer", "/api/docs/"),
    Leaf("admin", "Administration", "admin", "/admin/"),
    Leaf("admin-roles", "Administration, roles", "admin", "/admin/phases/role/"),
    Leaf("admin-role", "Administration, one role", "admin", "/admin/phases/role/1/change/"),
    Leaf("admin-matrix", "Administration, roles of a pipeline", "admin", "/admin/phases/pipeline/1/roles/"),
    Leaf("admin-grants", "Administration, who has which role", "admin", "/admin/phases/grant/"),
    Leaf("admin-grant", "Administration, give a role", "admin", "/admin/phases/grant/add/"),
    Leaf("admin-people", "Administration, people", "admin", "/admin/phases/user/"),
    Leaf("admin-rules", "Administration, approval rules", "admin", "/admin/phases/rule/"),
    Leaf("admin-events", "Administration, the record", "admin", "/admin/audit/event/"),
]
REFUSED = {"not-found": 404, "no-right": 403}
