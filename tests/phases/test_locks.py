"""Locks that end by themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models.functions import Now

from phases import actions, locks
from phases.models import Lock
from relman.audit.models import Event
from relman.clock import now
from relman.errors import Conflict, Invalid
from tests.phases.world import World

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def _over(lock: Lock) -> None:
    Lock.objects.filter(pk=lock.pk).update(until=Now() - timedelta(seconds=1))


@pytest.mark.parametrize("scope", ["environment", "phase"])
def test_a_lock_ends_by_itself_when_its_time_has_come_and_not_before(world: World, scope: str) -> None:
    where = world.environment("live") if scope == "environment" else world.phase("live")
    made = actions.lock(where, actor=world.actor("devops"), reason="Stocktaking", until=now() + HOUR)
    locks.lapse()
    assert not Event.objects.filter(verb="lock.released").exists()
    _over(made)
    locks.lapse()
    locks.lapse()
    made.refresh_from_db()
    assert made.released_at is not None and made.released_by is None
    event = Event.objects.get(verb="lock.released")
    assert (event.actor_name, (event.before or {})["reason"]) == ("RelMan", "Stocktaking")
    assert "no longer locked" in event.detail


def test_a_lock_without_an_end_stays(world: World) -> None:
    made = actions.lock(world.environment("live"), actor=world.actor("devops"), reason="Stocktaking")
    locks.lapse()
    made.refresh_from_db()
    assert made.released_at is None


def test_a_lock_whose_time_has_come_is_in_nobodys_way(world: World) -> None:
    live = world.environment("live")
    _over(actions.lock(live, actor=world.actor("devops"), reason="Stocktaking", until=now() + HOUR))
    again = actions.lock(live, actor=world.actor("release-manager"), reason="Audit")
    assert Lock.objects.get(released_at=None) == again


def test_who_unlocks_what_has_just_ended_is_told(world: World) -> None:
    made = actions.lock(world.environment("live"), actor=world.actor("devops"), reason="Audit", until=now() + HOUR)
    _over(made)
    locks.lapse()
    with pytest.raises(Conflict, match="not locked any more"):
        actions.unlock(made, actor=world.actor("devops"))
    assert Event.objects.filter(verb="lock.released", outcome="done").count() == 1


@pytest.mark.parametrize("until", [datetime(2020, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
def test_an_end_that_is_over_or_that_no_page_can_show_is_refused(world: World, until: datetime) -> None:
    with pytest.raises(Invalid) as caught:
        actions.lock(world.phase("live"), actor=world.actor("devops"), reason="Audit", until=until)
    assert set(caught.value.extra["fields"]) == {"until"}
    assert not Lock.objects.exists()


def test_the_record_says_until_when(world: World) -> None:
    until = now() + HOUR
    actions.lock(world.environment("live"), actor=world.actor("devops"), reason="Audit", until=until)
    event = Event.objects.get(verb="lock.set")
    assert datetime.fromisoformat((event.after or {})["until"]) == until
    assert f"until {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC: Audit" in event.detail
