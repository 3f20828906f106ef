"""More states than the demo tells, by the product's own verbs: something runs, is scheduled, locked, and very long."""

from __future__ import annotations

import tarfile
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from tests.browser.site import Site, archive, until

LONG_NAME, LONG_SLUG = "Refunds and Chargebacks Orchestrator", "refunds-and-chargebacks-orchestrator"
LONG_VERSION = "1.9.0-beta.12+build.20260616.3"
ALL = ("dev", "qa", "stage", "live")
QUICK: dict[str, Any] = {"verify": {"passes": 2, "interval": 0.2, "within": 30}, "drain": 0}
PATIENT: dict[str, Any] = {**QUICK, "migrate_timeout": 4 * 3600}
MIGRATION = """
[migrate]
command = '[ "$RELMAN_PHASE" = dev ] || { echo "Copied 3 of 40 tables"; sleep 14000; }'
reversible = true
"""
"""It takes hours, except in Dev: whoever looks meets it running."""


def application(site: Site, slug: str, name: str, **settings: dict[str, Any]) -> bool:
    """An application with a place in each phase of the shop's pipeline; False when there is one already."""
    made = {"slug": slug, "name": name, "pipeline": "shop"}
    status, answer = site.call("admin", "POST", "applications/", made)
    if status == 409:
        return False
    assert status == 201, answer
    for phase in ALL:
        place = {"application": slug, "phase": phase, "settings": settings.get(phase, QUICK)}
        site.ask("devops", "POST", "environments/", place)
    return True


def populate(site: Site, folder: Path) -> Site:
    """Fill the demo up. A second time does nothing."""
    if not application(site, LONG_SLUG, LONG_NAME):
        return site
    application(site, "recommendations", "Recommendations", qa=PATIENT)
    application(site, "courier-labels", "Courier Labels")
    application(site, "order-router", "Order Router")
    versions = {
        LONG_SLUG: LONG_VERSION,
        "recommendations": "1.14.0",
        "courier-labels": "2.6.1",
        "order-router": "6.0.0",
    }
    for slug, version in versions.items():
        packed = archive(folder, "playground", version)
        migrating = with_migration(packed) if slug == "recommendations" else packed
        site.publish(slug, version, migrating, notes="What people asked for. " * 4)
    _move(site, versions, "dev")
    quick = {slug: version for slug, version in versions.items() if slug != "recommendations"}
    _move(site, quick, "qa")
    running = site.promote("qa-engineer", "recommendations", "1.14.0", "qa")
    until(lambda: site.promotion(running)["status"] == "running", "Recommendations is being brought to QA")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(hour=6, minute=0, second=0, microsecond=0)
    site.promote("qa-engineer", "courier-labels", "2.6.1", "stage", not_before=tomorrow.isoformat())
    reason = {"reason": "The message queue is being moved."}
    site.ask("devops", "POST", "environments/order-router/stage/lock/", reason)
    return site


def with_migration(archive: Path) -> Path:
    """The same archive, whose manifest has a migration too."""
    packed = archive.with_name(f"migrating-{archive.name}")
    with tarfile.open(archive) as old, tarfile.open(packed, "w:gz") as new:
        for entry in old:
            file = old.extractfile(entry)
            assert file
            data = file.read() + (MIGRATION.encode() if entry.name == "relman.toml" else b"")
            entry.size = len(data)
            new.addfile(entry, BytesIO(data))
    return packed


def _move(site: Site, versions: dict[str, str], phase: str) -> None:
    """All at once, then wait for all."""
    who = "developer" if phase == "dev" else "qa-engineer"
    for number in [site.promote(who, slug, version, phase) for slug, version in versions.items()]:
        site.await_end(number, "succeeded")


def numbers(site: Site) -> dict[str, int]:
    """Promotions by what became of them, for the paths of the book."""

    def find(application: str, *statuses: str) -> int:
        rows = site.ask("release-manager", "GET", f"promotions/?application={application}")["results"]
        return next(int(row["id"]) for row in rows if row["status"] in statuses)

    return {
        "waiting": site.waiting("storefront", "live"),
        "scheduled": find("courier-labels", "waiting"),
        "running": find("recommendations", "running", "verifying"),
        "failed": find("payments", "failed"),
        "done": find("payments", "succeeded"),
    }
