"""The chain over the events: each link's hash covers the link before it and one event.

Links are written after commit by one sealer, in an order of their own (`Link.sequence`): an event whose transaction
committed late is linked late, and no verb ever waits for the chain's head.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, QuerySet

from relman import clock
from relman.errors import Conflict

from .models import Event, Link

START = "0" * 64
LOCK = 7_229_001
"""The sealer's advisory lock."""
READING = 7_229_002
"""The lock of whoever verifies the chain from a page."""
WINDOW = 10_000
"""How far below the newest linked id the sealer looks for events that committed late."""
CHUNK = 2_000
FIELDS = tuple(field.attname for field in Event._meta.concrete_fields)


@dataclass(frozen=True)
class Broken:
    """The first link that does not hold."""

    sequence: int
    event: int | None
    sentence: str


def content(event: Mapping[str, Any]) -> str:
    """One event as the hash sees it: all its fields, in one spelling."""
    at = event["at"]
    words = {**event, "at": at.astimezone(UTC).isoformat() if isinstance(at, datetime) else at}
    return json.dumps(words, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def link_hash(before: str, sequence: int, text: str) -> str:
    """The hash of one link, from the hash before it, its number and the event's content."""
    return hashlib.sha256(f"{before}\n{sequence}\n{text}".encode()).hexdigest()


def seal(limit: int = 5_000, *, everything: bool = False) -> int:
    """Link up to `limit` committed events that have no link yet; returns how many.

    Only one sealer works at a time, another one returns 0 at once. `everything` looks below the window too.
    """
    with transaction.atomic():
        if not _alone(LOCK):
            return 0
        last = Link.objects.order_by("-sequence").first()
        sequence, before = (last.sequence, last.hash) if last else (0, START)
        links = []
        for event in _unlinked(everything)[:limit]:
            sequence += 1
            before = link_hash(before, sequence, content(event))
            links.append(Link(sequence=sequence, event_id=event["id"], hash=before))
        Link.objects.bulk_create(links, batch_size=CHUNK)
        return len(links)


def _alone(lock: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock])
        return bool(cursor.fetchone()[0])


def _unlinked(everything: bool = False) -> QuerySet[Event, dict[str, Any]]:
    """Committed events without a link. Only the window is read, of the links too: the chain grows for ever."""
    events, links = Event.objects.order_by("id"), Link.objects.order_by()
    if not everything:
        highest = links.order_by("-sequence")[:WINDOW].aggregate(highest=Max("event_id"))["highest"] or 0
        events, links = events.filter(id__gt=highest - WINDOW), links.filter(event_id__gt=highest - WINDOW)
    rows: QuerySet[Event, dict[str, Any]] = events.exclude(id__in=links.values("event_id")).values(*FIELDS)
    return rows


def rows(after: int = 0) -> Iterator[dict[str, Any]]:
    """Every link after a sequence number with its event, in order, read in chunks."""
    while True:
        chunk = list(Link.objects.filter(sequence__gt=after).order_by("sequence").values()[:CHUNK])
        if not chunk:
            return
        events = {e["id"]: e for e in Event.objects.filter(id__in=[c["event_id"] for c in chunk]).values(*FIELDS)}
        for link in chunk:
            yield {
                "sequence": link["sequence"],
                "hash": link["hash"],
                "event_id": link["event_id"],
                "event": events.get(link["event_id"]),
            }
        after = chunk[-1]["sequence"]


def check(links: Iterable[Mapping[str, Any]], checkpoint: Mapping[str, Any] | None = None) -> Broken | None:
    """The first broken link of these, or None. Knows no database: works on exported lines too."""
    sequence, before = 0, START
    for link in links:
        sequence += 1
        broken = _wrong(link, sequence, before)
        if broken:
            return broken
        before = link["hash"]
        if checkpoint and checkpoint["sequence"] == sequence and checkpoint["hash"] != before:
            return Broken(sequence, link["event_id"], f"Link {sequence} is not the one the checkpoint knew.")
    if checkpoint and checkpoint["sequence"] > sequence:
        known = checkpoint["sequence"]
        return Broken(sequence + 1, None, f"The chain ends at link {sequence}; the checkpoint knew {known} links.")
    return None


def _wrong(link: Mapping[str, Any], sequence: int, before: str) -> Broken | None:
    if link["sequence"] != sequence:
        return Broken(sequence, None, f"Link {sequence} is missing.")
    if link["event"] is None:
        return Broken(sequence, link["event_id"], f"Link {sequence}: event {link['event_id']} is missing.")
    if link_hash(before, sequence, content(link["event"])) != link["hash"]:
        return Broken(
            sequence, link["event_id"], f"Link {sequence}: event {link['event_id']} or the chain before it was changed."
        )
    return None


def verify(checkpoint: Mapping[str, Any] | None = None) -> Broken | None:
    """Walk the whole chain in the database: the first broken link, or None."""
    return check(rows(), checkpoint)


def verify_in_turn() -> Broken | None:
    """`verify` for a page: one at a time in the whole installation, for a long chain keeps a process busy for minutes.
    Conflict while another one is at it."""
    with transaction.atomic():
        if not _alone(READING):
            raise Conflict("Somebody is verifying the chain at this moment. Try again in a minute.", code="busy")
        return verify()


def unsealed() -> int:
    """How many committed events have no link yet."""
    return _unlinked(everything=True).count()


def checkpoint() -> dict[str, Any]:
    """The chain's head, to be kept elsewhere: what it covers can then not be cut off or rewritten unnoticed."""
    last = Link.objects.order_by("-sequence").first()
    sequence, head = (last.sequence, last.hash) if last else (0, START)
    return {"sequence": sequence, "hash": head, "at": clock.now().astimezone(UTC).isoformat()}


def export() -> Iterator[str]:
    """The chain as JSON lines, for verification without the database."""
    for row in rows():
        event = row["event"]
        text = json.loads(content(event)) if event else None
        yield json.dumps({**row, "event": text}, ensure_ascii=False)


def check_lines(lines: Iterable[str], checkpoint: Mapping[str, Any] | None = None) -> Broken | None:
    """Verify exported lines: the first broken link, or None."""
    return check((json.loads(line) for line in lines if line.strip()), checkpoint)
