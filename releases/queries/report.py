"""What there is to know of one promotion, to be taken along: from the record, masked as it is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from phases import configuration
from releases.models import Promotion
from releases.queries.promotion import PromotionPage, promotion_page
from releases.queries.shared import Log, plain
from relman import words
from relman.actors import Actor
from relman.clock import now

Report = dict[str, Any]


def report(actor: Actor, promotion: Promotion) -> Report:
    """Plain JSON: times in UTC, durations in seconds, the last lines of the log. Secrets by version only."""
    page = promotion_page(actor, promotion, step=0)
    head = page.promotion
    return {
        "promotion": head.id,
        "application": head.application.slug,
        "release": head.version,
        "phase": head.phase.slug,
        "kind": head.kind,
        "status": head.status,
        "reason": head.reason,
        "comment": head.comment,
        "requested_by": head.requested_by.name,
        "requested_at": _utc(head.requested_at),
        "started_at": _utc(head.started_at),
        "finished_at": _utc(head.finished_at),
        "seconds": page.progress.elapsed,
        "digest": head.digest,
        "replaces": head.replaces,
        "retry_of": head.retry_of,
        "serves_now": page.serves.version,
        "left": page.left,
        "gates": [{"gate": one.gate, "state": one.state, "reason": plain(one.reason)} for one in page.verdicts],
        "approvals": _approvals(page),
        "configuration": configuration.public(promotion.snapshot),
        "steps": _steps(page),
        "timeline": [
            {"at": _utc(one.at), "text": plain(one.text), "detail": plain(one.detail)} for one in page.timeline
        ],
        "log": _log(page.log),
        "made_at": _utc(now()),
        "made_for": actor.name,
    }


def _utc(moment: datetime | None) -> str | None:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment else None


def _approvals(page: PromotionPage) -> list[Mapping[str, Any]]:
    return [
        {
            "rule": seat.rule,
            "role": seat.role,
            "state": seat.state,
            "by": seat.person.name if seat.person and seat.at else None,
            "at": _utc(seat.at),
            "comment": seat.comment,
        }
        for seat in page.approvers
    ]


def _steps(page: PromotionPage) -> list[Mapping[str, Any]]:
    return [
        {
            "number": one.number,
            "name": one.name,
            "state": one.state,
            "detail": one.detail,
            "attempts": one.attempts,
            "started_at": _utc(one.started_at),
            "seconds": one.seconds,
        }
        for one in page.steps
    ]


def _log(shown: Log) -> Mapping[str, Any]:
    lines = [{"n": one.number, "at": _utc(one.at), "text": one.text} for one in shown.lines]
    return {"total": shown.total, "first": shown.first, "lines": lines}


# --- as text


def report_text(found: Report) -> Iterator[str]:
    """The same as lines of a text file."""
    yield f"Promotion {found['promotion']}: {found['application']} {found['release']} to {found['phase']}\n"
    yield f"Read from RelMan's record {found['made_at']} for {found['made_for']}. Times are UTC, secrets are masked.\n"
    yield from _section("State", _state(found))
    yield from _section("Gates now", [f"{one['gate']}: {one['state']}. {one['reason']}" for one in found["gates"]])
    yield from _section("Approvals", [_seat(one) for one in found["approvals"]])
    yield from _section("Configuration it was frozen with", _values(found["configuration"]))
    yield from _section("Steps", [_step(one) for one in found["steps"]])
    yield from _section("Timeline, newest first", [_entry(one) for one in found["timeline"]])
    yield from _section(_log_title(found["log"]), [f"{one['at']} {one['text']}" for one in found["log"]["lines"]])


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"\n{title}\n"
        yield from (f"  {line}\n" for line in lines)


def _state(found: Report) -> list[str]:
    took = f" after {words.duration(found['seconds'])}" if found["seconds"] is not None else ""
    lines = [
        f"{words.look(found['status']).word}. {found['reason']}".strip(),
        f"Asked for {found['requested_at']} by {found['requested_by']}. {found['comment']}".strip(),
        f"Started {found['started_at']}." if found["started_at"] else "It did not start.",
        f"Ended {found['finished_at']}{took}." if found["finished_at"] else "",
        f"Build {found['digest']}",
        f"{found['phase']} serves {found['serves_now'] or 'nothing'} now.",
        f"What was left: {', '.join(found['left'])}." if found["left"] else "",
    ]
    return [line for line in lines if line]


def _seat(seat: Mapping[str, Any]) -> str:
    said = f"{seat['state']} by {seat['by']} {seat['at']}" if seat["by"] else str(seat["state"])
    return f"{seat['rule']} ({seat['role']}): {said}" + (f". {seat['comment']}" if seat["comment"] else "")


def _values(values: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [
        f"{key} = secret, version {one['version']}" if one["secret"] else f"{key} = {one['value']}"
        for key, one in values.items()
    ]


def _step(step: Mapping[str, Any]) -> str:
    took = f", {words.duration(step['seconds'])}" if step["seconds"] is not None else ""
    tries = f", attempt {step['attempts']}" if step["attempts"] > 1 else ""
    detail = f": {step['detail']}" if step["detail"] else ""
    return f"{step['number']}. {step['name']}, {words.look(step['state']).word.lower()}{took}{tries}{detail}"


def _entry(entry: Mapping[str, Any]) -> str:
    return f"{entry['at']} {entry['text']}" + (f". {entry['detail']}" if entry["detail"] else "")


def _log_title(log: Mapping[str, Any]) -> str:
    return f"Log, last {len(log['lines'])} of {log['total']} lines" if log["first"] > 1 else "Log"
