"""States that change the whole demo, for pictures only: each is made by the product's own verbs, and then looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Page

from phases.drivers.local.layout import Layout
from tests.browser.book import Leaf
from tests.browser.populate import with_migration
from tests.browser.site import Site, archive, until

LOOKS = 240.0
"""Seconds until a difference is drift: two looks in a row, one a minute."""
MANY = {
    "CACHE_SECONDS": "300", "CARRIER_URL": "https://carriers.example/v2", "DISPATCH_ZONE": "EU", "LOG_LEVEL": "info",
    "MAX_PARCELS": "12", "QUEUE_NAME": "orders", "RETRY_SECONDS": "30", "RETURN_DAYS": "30", "TAX_TABLE": "2026-07",
    "TIMEOUT_MS": "2500",
}  # fmt: skip


@dataclass(frozen=True)
class Chapter:
    """What is done first, which answers with numbers for the paths; then its leaves."""

    prepare: Callable[[Site, Path], dict[str, int]]
    leaves: list[Leaf]


def queued(site: Site, folder: Path) -> dict[str, int]:
    """A second promotion into a place where the first still runs."""
    packed = with_migration(archive(folder, "playground", "1.15.0"))
    site.publish("recommendations", "1.15.0", packed, notes="Similar things, and things that go with them.")
    site.bring("recommendations", "1.15.0", "dev")
    return {"queued": site.promote("qa-engineer", "recommendations", "1.15.0", "qa")}


def errored(site: Site, folder: Path) -> dict[str, int]:
    """A target that broke off while it answered: what it did is unknown."""
    site.ask("admin", "POST", "applications/", {"slug": "invoices", "name": "Invoices", "pipeline": "shop"})
    steps = [{"do": "noop"}, {"do": "errored", "reason": "The target broke off while it answered."}]
    place = {"application": "invoices", "phase": "dev", "driver": "scripted", "settings": {"steps": steps}}
    site.ask("devops", "POST", "environments/", place)
    site.publish("invoices", "1.0.0", archive(folder, "playground", "1.0.0"), notes="The first invoices.")
    number = site.promote("developer", "invoices", "1.0.0", "dev")
    site.await_end(number, "errored")
    return {"errored": number}


def left(site: Site, folder: Path) -> dict[str, int]:
    """Stage rolled back, which holds the release that it left; a rollback rehearsed in QA."""
    why = {"reason": "The checkout is slow.", "configuration": "then"}
    back = int(site.ask("devops", "POST", "environments/storefront/stage/rollback/", why)["id"])
    site.await_end(back, "succeeded")
    place = "environments/storefront/qa/"
    site.ask("release-manager", "POST", f"{place}rehearsal/", {"comment": "Before Live."})

    def passed() -> bool:
        found = site.ask("devops", "GET", place)["way_back"]["rehearsal"]
        return bool(found) and found["state"] == "passed"

    until(passed, "the rehearsal passes")
    return {}


def drifted(site: Site, folder: Path) -> dict[str, int]:
    """Somebody edited what is deployed, by hand."""
    for version in Layout(site.home).targets().glob("e*/releases/*/VERSION"):
        if version.read_text().strip() == "2.6.1":
            program = version.with_name("app.py")
            program.chmod(0o644)
            program.write_text(program.read_text() + "# hurry\n")
    place = "environments/courier-labels/qa/"
    until(lambda: site.ask("devops", "GET", place)["drift"] is not None, "drift is seen", LOOKS)
    return {}


def held(site: Site, folder: Path) -> dict[str, int]:
    """A locked phase, many keys, and a token with limits."""
    site.ask("devops", "POST", "pipelines/shop/phases/stage/lock/", {"reason": "The stage database is being copied."})
    site.ask("devops", "PUT", "environments/order-router/dev/configuration/", {"values": {**MANY}})
    ends = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    limits = {"rights": ["view", "publish"], "applications": ["storefront"], "phases": ["shop/dev"]}
    site.ask("developer", "POST", "me/tokens/", {"name": "Build of the web shop", "expires_at": ends, **limits})
    return {}


def maintained(site: Site, folder: Path) -> dict[str, int]:
    """Nothing starts any more."""
    reason = "The database moves to its new machine, until about 18:30."
    site.ask("admin", "POST", "maintenance/", {"on": True, "reason": reason})
    return {}


def nothing(site: Site, folder: Path) -> dict[str, int]:
    """As it is."""
    return {}


def lose(page: Page) -> None:
    """The connection breaks, and a minute passes."""
    page.clock.install()
    page.route("**/events/**", lambda route: route.abort())
    page.goto("/board/")
    page.clock.fast_forward(65_000)
    page.locator("#lost").wait_for(state="visible")


MANAGER = "release-manager"
CHAPTERS = [
    Chapter(nothing, [Leaf("lost", "The connection is lost", MANAGER, "/board/", lose)]),
    Chapter(queued, [Leaf("promotion-queued", "Promotion, queued behind another", MANAGER, "/promotions/{queued}/")]),
    Chapter(errored, [
        Leaf("promotion-errored", "Promotion, outcome unknown", MANAGER, "/promotions/{errored}/"),
        Leaf("board-errored", "Board with an unknown outcome", MANAGER, "/board/?q=invoices"),
    ]),
    Chapter(left, [
        Leaf("release-held", "Release, held after a rollback", MANAGER, "/apps/storefront/releases/1.4.0/"),
        Leaf("environment-rehearsed", "Environment, its way back rehearsed", MANAGER, "/apps/storefront/qa/"),
    ]),
    Chapter(held, [
        Leaf("phase-locked", "Phase, locked as a whole", "devops", "/pipelines/shop/stage/"),
        Leaf("pipeline-roles", "Pipeline, who may do what", "developer", "/pipelines/shop/?tab=roles"),
        Leaf("configuration-many", "Configuration, many keys", "devops", "/apps/order-router/dev/configuration/"),
        Leaf("configuration-key", "Configuration, change a key", "devops",
             "/apps/storefront/live/configuration/PAYMENT_KEY/"),
        Leaf("me-token", "Profile, a token with limits", "developer", "/me/"),
    ]),
    Chapter(drifted, [
        Leaf("environment-drift", "Environment, drift", MANAGER, "/apps/courier-labels/qa/"),
        Leaf("adopt", "Adopt what runs", MANAGER, "/apps/courier-labels/qa/adopt/"),
    ]),
    Chapter(maintained, [
        Leaf("maintenance", "Maintenance, when it is safe to stop", "admin", "/maintenance/"),
        Leaf("board-maintenance", "Board during a maintenance", "business-owner", "/board/"),
    ]),
]  # fmt: skip
LATER = [leaf for chapter in CHAPTERS for leaf in chapter.leaves]
