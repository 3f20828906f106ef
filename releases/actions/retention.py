"""Retention: deleting what nobody needs. Artifact bytes and log lines only; rows, evidence and the record stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Now

from phases.models import Environment
from releases import guards, retention, statuses, storage
from releases.models import Artifact, LogLine, Promotion, Release
from releases.queries.holding import standing
from releases.queries.lookups import live_promotions
from releases.retention import Decision, Rule, Stored
from relman.actors import Actor
from relman.audit import record
from relman.clock import now
from relman.errors import Conflict, Forbidden

ROUND = 0x52454C54
"""Advisory lock: retention alone, backups beside each other."""
NOTE = "The log was removed by retention."
BATCH = 5000
NEEDED = Q(status__in=statuses.OPEN) | Q(status="errored") | Q(cleanup="due")


@dataclass(frozen=True)
class Logs:
    """Log lines that would go: how many, and of how many promotions."""

    lines: int
    promotions: int


def look(rule: Rule) -> tuple[Decision, Logs]:
    """What would go now, and why the rest stays. Changes nothing."""
    old = _old_lines(rule)
    return retention.decide(_stored(), rule), Logs(old.count(), old.values("promotion").distinct().count())


def apply(rule: Rule, *, actor: Actor) -> tuple[Decision, Logs]:
    """Delete what may go; what was really deleted. Every artifact is judged again under its own lock.

    Forbidden for anybody but an administrator and RelMan itself; Conflict while another one, or a backup, is at it.
    """
    if actor.user is not None and not actor.is_superuser:
        raise Forbidden("Only an administrator removes artifacts and logs.", roles=[])
    with _only_one():
        wanted = retention.decide(_stored(), rule)
        gone = [stored for one in _one_a_digest(wanted) for stored in _remove(one, rule, actor)]
        logs = _remove_lines(rule)
        done = Decision(tuple(gone), wanted.staying)
        after = {"artifacts": len(gone), "bytes": done.freed, "log_lines": logs.lines, "days": rule.days}
        detail = f"Removed {len(gone)} artifacts ({done.freed} bytes) and {logs.lines} log lines."
        record("retention.applied", actor=actor, after={**after, "keep": rule.keep}, detail=detail)
    return done, logs


class _only_one:
    """One retention at a time, and none while a backup copies."""

    def __enter__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [ROUND])
            if not cursor.fetchone()[0]:
                raise Conflict("A backup or another retention is at work. Try again when it has ended.")

    def __exit__(self, *_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [ROUND])


def _one_a_digest(decision: Decision) -> list[Stored]:
    return list({one.digest: one for one in decision.going}.values())


def _remove(one: Stored, rule: Rule, actor: Actor) -> list[Stored]:
    """Judge these bytes again, alone with them; mark first, then delete: a crash between leaves too much, not too
    little. What asks for a promotion meanwhile waits, and is then told that they are gone; what came before, wins."""
    with guards.alone(one.digest):
        applications = Artifact.objects.filter(digest=one.digest).values("release__application")
        today = retention.decide(_stored(Q(application__in=applications)), rule)
        going = [stored for stored in today.going if stored.digest == one.digest]
        if not going:
            return []
        with transaction.atomic():
            Artifact.objects.filter(digest=one.digest).update(removed_at=Now())
            for release in Release.objects.filter(pk__in=[stored.release for stored in going]):
                detail = f"The artifact of {release} was removed by retention: {rule.days} days without use."
                record("release.artifact_removed", actor=actor, subject=release, release=release, detail=detail)
        storage.remove(one.digest)
        return going


def _stored(which: Q | None = None) -> list[Stored]:
    """Every artifact whose bytes lie in the storage, with what needs it. A fixed number of queries."""
    releases = Release.objects.filter(which or Q()).select_related("application").prefetch_related("artifacts")
    used = releases.annotate(used=Max("promotions__finished_at")).order_by("application_id", "-published_at", "-id")
    needs, at = _needs(releases.values("application")), now()
    return [
        stored
        for _, group in groupby(used, key=lambda release: release.application_id)
        for rank, release in enumerate(group, 1)
        for stored in _files(release, rank, at, needs.get(release.pk, ()))
    ]


def _files(release: Any, rank: int, at: datetime, needs: tuple[str, ...]) -> Iterator[Stored]:
    last = max(filter(None, (release.published_at, release.used)))
    for one in release.artifacts.all():
        if storage.path_of(one.digest).exists():
            age = (at - last).total_seconds() / 86400
            yield Stored(release.pk, str(release), one.digest, one.size, age, rank, needs)


def _needs(applications: Any) -> dict[int, tuple[str, ...]]:
    """Release -> sentences: where it serves or served, and the promotions that are not over."""
    promotions = Promotion.objects.filter(environment__application__in=applications)
    done = promotions.filter(status="succeeded").values_list(
        "environment_id", "environment__application__name", "environment__phase__name", "release_id",
        "release__withdrawn",
    )  # fmt: skip
    newest = done.annotate(last=Max("finished_at")).order_by("environment_id", "-last")
    left = set(standing().filter(environment__application__in=applications).values_list("environment_id", "release_id"))
    served = retention.served(
        retention.Success(
            environment, f"{application} in {phase}", release, bool(withdrawn) or (environment, release) in left
        )
        for environment, application, phase, release, withdrawn, _ in newest
    )
    return retention.joined(served, _under_way(promotions))


def _under_way(promotions: QuerySet[Promotion]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    rows = (
        promotions.filter(NEEDED).order_by("id").values_list("pk", "release_id", "status", "environment__phase__name")
    )
    for pk, release, status, phase in rows:
        word = statuses.LOOKS[status].word.lower()
        found.setdefault(release, []).append(f"Promotion {pk} to {phase} needs it ({word}).")
    return found


def _old_lines(rule: Rule) -> QuerySet[LogLine]:
    """Lines of promotions that ended long ago; not of what is live, and not of what a person has to look into."""
    live = [promotion.pk for promotion in live_promotions(Environment.objects.all()).values()]
    over = Q(promotion__finished_at__lt=Now() - timedelta(days=rule.days))
    unsettled = Q(promotion__status="errored") | Q(promotion__cleanup="due")
    return LogLine.objects.filter(over).exclude(unsettled).exclude(promotion__in=live).exclude(text=NOTE)


def _remove_lines(rule: Rule) -> Logs:
    """In small transactions; each log keeps one line that says so."""
    lines, promotions = 0, set[int]()
    while True:
        with transaction.atomic():
            batch = list(_old_lines(rule).order_by("id").values_list("pk", "promotion_id")[:BATCH])
            fresh = {promotion for _, promotion in batch} - promotions
            LogLine.objects.bulk_create(LogLine(promotion_id=pk, at=now(), text=NOTE) for pk in sorted(fresh))
            LogLine.objects.filter(pk__in=[pk for pk, _ in batch]).delete()
        lines, promotions = lines + len(batch), promotions | fresh
        if len(batch) < BATCH:
            return Logs(lines, len(promotions))
