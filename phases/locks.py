"""How locks end by themselves, and who hears of a lock."""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from phases.models import Environment, Lock, Phase
from relman.actors import Actor
from relman.audit import record
from relman.live import publish_on_commit

BATCH = 200


def lapse() -> None:
    """Release the locks whose time has come: what they held goes on in order. Recorded as RelMan's own doing. One
    query when there are none."""
    due = Lock.objects.filter(released_at=None, until__lte=Now())
    scopes = "environment__application__pipeline", "environment__phase", "phase__pipeline"
    for lock in due.select_related(*scopes).order_by("until", "id")[:BATCH]:
        with transaction.atomic():
            _lapse(lock)


def _lapse(lock: Lock) -> None:
    where = lock.environment or lock.phase
    if where is None or not Lock.objects.filter(pk=lock.pk, released_at=None).update(released_at=Now()):
        return  # somebody released it meanwhile
    before = {"reason": lock.reason, "until": lock.until and lock.until.isoformat()}
    said = f"{where} is no longer locked: the end that was set for the lock has come."
    record("lock.released", actor=Actor.system(), subject=where, before=before, detail=said)
    announce(where)


def announce(where: Environment | Phase) -> None:
    """After commit, tell every page that shows it."""
    if isinstance(where, Environment):
        publish_on_commit("board", f"environment:{where.pk}", f"application:{where.application.slug}")
        return
    inside = Environment.objects.filter(phase=where).values_list("pk", "application__slug")
    places = [topic for pk, slug in inside for topic in (f"environment:{pk}", f"application:{slug}")]
    publish_on_commit("board", f"phase:{where.pk}", *places)
