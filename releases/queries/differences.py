"""Changes of releases, and differences of configuration, as pages show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import F

from phases import configuration, tickets
from phases.models import Environment
from releases.models import Change, Promotion, Release
from releases.queries.shared import ChangeItem, Difference

KINDS = {"added": "new", "removed": "removed", "changed": "changed"}


def differences(before: configuration.Snapshot, after: configuration.Snapshot) -> tuple[list[Difference], int]:
    """The keys that differ, and how many stay."""
    found = [
        Difference(one.key, one.before, one.after, one.secret, KINDS[one.change])
        for one in configuration.compare(before, after)
    ]
    return found, len({*before, *after}) - len(found)


def against_live(environment: Environment, live: Promotion | None) -> tuple[list[Difference], int]:
    """Today's configuration against what the live release runs with; before the first one all of it is new."""
    return differences(live.snapshot if live else {}, configuration.snapshot(environment))


def changes_between(release: Release, since: Release | None) -> list[ChangeItem]:
    """All change items of the releases after `since` up to this one, the newest first; without `since` its own."""
    chosen = Change.objects.filter(release=release)
    if since is not None and since.precedence < release.precedence:
        chosen = Change.objects.filter(
            release__application=release.application_id,
            release__precedence__gt=since.precedence,
            release__precedence__lte=release.precedence,
        )
    rows = chosen.select_related("release").defer("release__manifest", "release__notes")
    rows = rows.annotate(where=F("release__application__ticket_url"))
    return [
        ChangeItem(one.kind, one.title, one.ticket, one.author, one.release.commit, tickets.link(one.where, one.ticket))
        for one in rows.order_by("-release__precedence", "position")
    ]


def counts(changes: Sequence[ChangeItem]) -> dict[str, int]:
    """Kind -> how many."""
    found: dict[str, int] = {}
    for one in changes:
        found[one.kind or "other"] = found.get(one.kind or "other", 0) + 1
    return found


def summary(release: Release) -> str:
    """The first line of the notes."""
    return next((line.strip() for line in release.notes.splitlines() if line.strip()), "")


def required(manifest: dict[str, Any]) -> list[str]:
    """The keys that a manifest requires."""
    wanted = manifest.get("configuration", {}).get("required", [])
    return [key for key in wanted if isinstance(key, str)]
