"""Rehearsals of the way back: what follows when their first or second promotion has ended.

Asked in the transaction that ends such a promotion, and by each safety round for what ended otherwise.
"""

from __future__ import annotations

import logging

from django.db import Error as DatabaseGone
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from phases import permissions
from phases.models import Environment
from releases import statuses
from releases.models import Promotion, Rehearsal
from releases.models.way_back import REHEARSAL_OPEN
from releases.placing import Wish, place
from relman.actors import Actor
from relman.audit import record
from relman.live import publish_on_commit
from relman.words import duration

log = logging.getLogger(__name__)
RIGHTS = ("roll_back", "promote")
"""What it takes to rehearse, at its beginning and when it turns."""


def go_on(promotion: Promotion) -> None:
    """A promotion ended: the rehearsal that it belongs to goes on, if there is one. Its environment is locked."""
    mine = Q(back=promotion) | Q(forth=promotion)
    found = _open().filter(mine).first()
    if found is not None:
        _step(found)


def all_open() -> None:
    """The safety round's part: promotions that ended without a word to their rehearsal, such as cancelled ones."""
    for pk, environment in Rehearsal.objects.filter(state__in=REHEARSAL_OPEN).values_list("pk", "environment_id"):
        try:
            with transaction.atomic():
                Environment.objects.select_for_update(of=("self",)).filter(pk=environment).first()
                found = _open().filter(pk=pk).first()
                if found is not None:
                    _step(found)
        except DatabaseGone:
            raise
        except Exception as error:  # one that is broken must not stop the others
            log.warning("Rehearsal %s could not go on: %s", pk, error)


def _open() -> QuerySet[Rehearsal]:
    """Those that have not ended, locked."""
    rows = Rehearsal.objects.select_for_update(of=("self",)).filter(state__in=REHEARSAL_OPEN)
    return rows.select_related("environment__application", "environment__phase", "leaves", "to", "requested_by")


def _step(rehearsal: Rehearsal) -> None:
    """One step further, if the promotion that it waits for has ended."""
    now = Promotion.objects.get(pk=rehearsal.forth_id or rehearsal.back_id)
    version = (rehearsal.leaves if rehearsal.forth_id else rehearsal.to).version
    if now.is_open or now.status == "errored":
        return  # of an unknown outcome a person speaks first
    if now.status == "succeeded":
        _end(rehearsal, "passed", _passed(rehearsal, now)) if rehearsal.forth_id else _forward(rehearsal)
    elif now.status == "failed":
        where = "The way forward" if rehearsal.forth_id else "The way back"
        _end(rehearsal, "failed", f"{where} failed: {now.reason}")
    else:
        word = statuses.LOOKS[now.status].word.lower()
        _end(rehearsal, "stopped", f"Promotion {now.pk} of {version} was {word}. {now.reason}")


def _forward(rehearsal: Rehearsal) -> None:
    """The way back worked: bring again what was live, as it ran; whatever people asked for meanwhile goes first."""
    version = rehearsal.leaves.version
    others = Promotion.objects.filter(environment=rehearsal.environment_id, status__in=statuses.OPEN)
    other = others.select_related("release").first()
    if other is not None:
        words = f"{other.release.version} was asked for meanwhile (promotion {other.pk})"
        _end(rehearsal, "stopped", f"The way back worked. {words}, so {version} is not brought again.")
        return
    actor = Actor(rehearsal.requested_by, "system")
    if not rehearsal.requested_by or not all(permissions.can(actor, one, rehearsal.environment) for one in RIGHTS):
        _end(rehearsal, "stopped", f"The way back worked. {_may_no_more(rehearsal)}")
        return
    words, lower = f"Rehearsal of a rollback: forward to {version} again.", _lower(rehearsal)
    wish = Wish(words, configuration="then", rehearsal=True, allow_lower=lower)
    try:
        with transaction.atomic():
            rehearsal.forth = place(rehearsal.leaves, rehearsal.environment, wish, actor=actor)
    except DatabaseGone:
        raise
    except Exception as error:  # a plan that cannot be made must not spoil the end that is being written
        _end(rehearsal, "failed", f"The way back worked, but {version} could not be brought again: {error}")
        return
    rehearsal.state = "forth"
    rehearsal.save(update_fields=["forth", "state"])
    _tell(rehearsal)


def _may_no_more(rehearsal: Rehearsal) -> str:
    """Rights count as they are now: nobody brings a release in the name of who may not bring it any more."""
    phase, version = rehearsal.environment.phase, rehearsal.leaves.version
    who = rehearsal.requested_by.display if rehearsal.requested_by else "Whoever asked for it"
    others = ", ".join(permissions.roles_with("promote", phase)) or "no role, until somebody gives one that right"
    return f"{who} may not go forward in {phase.name} any more, so {version} is not brought again. Who may: {others}."


def _lower(rehearsal: Rehearsal) -> bool:
    """Whether forward is down: what was live is a hotfix of an older line."""
    return rehearsal.leaves.precedence < rehearsal.to.precedence


def _passed(rehearsal: Rehearsal, forth: Promotion) -> str:
    back = rehearsal.back
    there, again = (_took(one) for one in (back, forth))
    return f"Back to {rehearsal.to.version} in {there}, forward to {rehearsal.leaves.version} again in {again}."


def _took(promotion: Promotion) -> str:
    if promotion.started_at is None or promotion.finished_at is None:
        return "no time"
    return duration((promotion.finished_at - promotion.started_at).total_seconds())


def _end(rehearsal: Rehearsal, state: str, reason: str) -> None:
    Rehearsal.objects.filter(pk=rehearsal.pk).update(state=state, reason=reason[:2000], finished_at=Now())
    rehearsal.refresh_from_db(fields=["state", "reason", "finished_at"])
    record(
        f"rehearsal.{state}",
        actor=Actor.system(),
        subject=rehearsal.environment,
        release=rehearsal.leaves,
        promotion=rehearsal.forth or rehearsal.back,
        detail=rehearsal.reason,
    )
    _tell(rehearsal)


def _tell(rehearsal: Rehearsal) -> None:
    environment = rehearsal.environment
    publish_on_commit(f"environment:{environment.pk}", f"application:{environment.application.slug}")
