"""The independent checker: what the targets' own ledgers say happened, against what RelMan's tables say.

It imports RelMan's models to read rows, and nothing of the engine: the invariants of FAULTS are written down anew.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from releases.models import Promotion, Step
from relman.audit import chain
from relman.audit.models import Event

OPEN = {"waiting", "queued", "running", "verifying"}
ACTIVE = {"running", "verifying"}
SILENT = {"retire", "discard", "verify", "switch", "restore"}
"""Kinds without a line in the ledger."""
NEVER_BEGUN = {"cancelled", "rejected", "superseded", "expired"}
Line = Mapping[str, Any]


@dataclass
class Found:
    """What the checker has against this run. Empty lists are the promise."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    repeated: int = 0
    """Effects that came twice to the target with the same key, and were recognised."""

    @property
    def sentences(self) -> list[str]:
        return [*self.lost, *self.doubled, *self.wrong]


def check(home: Path, accepted: Iterable[int], secret: str = "") -> Found:
    """Everything, on a world that has come to rest."""
    found = Found()
    promotions = list(Promotion.objects.select_related("release", "environment").order_by("id"))
    steps: dict[int, list[Step]] = defaultdict(list)
    for step in Step.objects.order_by("promotion_id", "number"):
        steps[step.promotion_id].append(step)
    every_end(found, promotions, accepted)
    by_environment: dict[int, list[Promotion]] = defaultdict(list)
    for promotion in promotions:
        by_environment[promotion.environment_id].append(promotion)
    for environment, rows in by_environment.items():
        ledger = read(home / "scripted" / str(environment) / "ledger.jsonl")
        one_effect(found, ledger, rows, steps)
        in_turn(found, environment, ledger)
        what_runs(found, home, environment, rows)
    one_at_a_time(found, by_environment)
    record(found, promotions)
    no_secret(found, home, secret)
    return found


def read(path: Path) -> list[Line]:
    """The lines of a ledger, oldest first."""
    if not path.exists():
        return []
    lines = []
    for text in path.read_text().splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue  # half a line: whoever wrote it was killed before it counted
    return lines


def every_end(found: Found, promotions: list[Promotion], accepted: Iterable[int]) -> None:
    """I1: every accepted request reached an end, and its clean-up too."""
    known = {promotion.pk for promotion in promotions}
    found.lost += [f"promotion {pk} was accepted and is not there" for pk in accepted if pk not in known]
    for promotion in promotions:
        if promotion.status in OPEN or promotion.cleanup == "due":
            state = f"{promotion.status}, clean-up {promotion.cleanup} ({promotion.reason})"
            found.lost.append(f"promotion {promotion.pk} is still {state}")


def one_effect(found: Found, ledger: list[Line], rows: list[Promotion], steps: Mapping[int, list[Step]]) -> None:
    """I2: one effect per promotion and step, and none that the record does not know."""
    applied = Counter(str(line["effect"]) for line in ledger if not line.get("repeated"))
    found.repeated += sum(bool(line.get("repeated")) for line in ledger)
    found.doubled += [f"effect {key} was applied {count} times" for key, count in applied.items() if count > 1]
    known: dict[str, Step] = {f"{p.pk}:{step.number}": step for p in rows for step in steps[p.pk]}
    found.wrong += [f"effect {key} belongs to no step" for key in applied if key not in known]
    for key, step in known.items():
        if step.kind in SILENT:
            continue
        if step.status == "succeeded" and key not in applied:
            found.lost.append(f"step {key} is recorded as done, and the target knows nothing of it")
        if step.status == "pending" and key in applied:
            found.wrong.append(f"step {key} has had its effect, and the record says pending")
    began = {row.pk for row in rows if row.status in NEVER_BEGUN}
    found.wrong += [
        f"effect {key} of a promotion that never began" for key in applied if int(key.split(":")[0]) in began
    ]
    for line in ledger:
        number = known.get(str(line["effect"]))
        if line.get("repeated") and number is not None and number.resume != "idempotent":
            found.doubled.append(f"step {line['effect']} may not be repeated, and was")


def in_turn(found: Found, environment: int, ledger: list[Line]) -> None:
    """I3 at the target: epochs only rise, promotions do not mix, steps come in order."""
    epoch, seen, latest = 0, list[int](), 0
    for line in ledger:
        promotion, step = (int(word) for word in str(line["effect"]).split(":"))
        if line["epoch"] < epoch:
            found.wrong.append(f"environment {environment}: epoch {line['epoch']} after {epoch}")
        epoch = line["epoch"]
        if promotion not in seen:
            seen.append(promotion)
            latest = 0
        elif seen[-1] != promotion:
            found.wrong.append(f"environment {environment}: promotion {promotion} came back after {seen[-1]}")
        if step < latest:
            found.wrong.append(f"promotion {promotion}: step {step} after step {latest}")
        latest = step


def what_runs(found: Found, home: Path, environment: int, rows: list[Promotion]) -> None:
    """I4: what the target runs is the newest succeeded promotion."""
    done = [(row.finished_at, row.pk, row) for row in rows if row.status == "succeeded" and row.finished_at]
    newest = max(done)[-1] if done else None
    path = home / "scripted" / str(environment) / "serving.json"
    serving = json.loads(path.read_text()) if path.exists() else {}
    wanted = {str(newest.pk): newest.release.version} if newest else {}
    if {key: entry["version"] for key, entry in serving.items()} != wanted:
        found.wrong.append(f"environment {environment} runs {sorted(serving)}, the record says {sorted(wanted)}")


def one_at_a_time(found: Found, by_environment: Mapping[int, list[Promotion]]) -> None:
    """I3 in the record: in the order of events, one is over before the next one starts."""
    place = {row.pk: environment for environment, rows in by_environment.items() for row in rows}
    running: dict[int, int] = {}
    for event in moves():
        environment = place.get(event.promotion_id or 0)
        if environment is None:
            continue
        other = running.get(environment)
        if event.after["status"] in ACTIVE:
            if other not in (None, event.promotion_id):
                found.wrong.append(f"promotion {event.promotion_id} started while {other} ran")
            running[environment] = event.promotion_id or 0
        elif other == event.promotion_id:
            del running[environment]


def moves() -> Iterable[Any]:
    """The events that say that a promotion's status changed, in the order in which they were written."""
    rows = Event.objects.filter(promotion_id__isnull=False, outcome="done").order_by("id")
    return [row for row in rows if row.before and row.after and "status" in row.before and "status" in row.after]


def record(found: Found, promotions: list[Promotion]) -> None:
    """I5: the chain verifies, and there is one event for each move, without a gap."""
    while chain.seal(5000, everything=True):
        pass
    broken = chain.verify()
    if broken is not None:
        found.wrong.append(broken.sentence)
    now = {promotion.pk: "waiting" for promotion in promotions}
    for event in moves():
        if event.after["status"] == "errored" and "not safe to run it again" not in event.detail:
            found.wrong.append(f"promotion {event.promotion_id} gave up: {event.detail}")
        known = now.get(event.promotion_id)
        if known is not None and known != event.before["status"]:
            found.wrong.append(
                f"promotion {event.promotion_id}: an event says from {event.before['status']}, it was {known}"
            )
        now[event.promotion_id] = event.after["status"]
    for promotion in promotions:
        if now[promotion.pk] != promotion.status:
            found.wrong.append(
                f"promotion {promotion.pk} is {promotion.status}, its events end with {now[promotion.pk]}"
            )


def no_secret(found: Found, home: Path, secret: str) -> None:
    """I6: no secret in any log."""
    if not secret:
        return
    for path in (home / "log").iterdir():
        if secret.encode() in path.read_bytes():
            found.wrong.append(f"{path.name} holds a secret")
    for path in (home / "scripted").rglob("ledger.jsonl"):
        if secret in path.read_text():
            found.wrong.append(f"the ledger {path.parent.name} holds a secret")
