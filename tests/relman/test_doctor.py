"""The doctor names what is wrong, one line each, and holds what must not start."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from phases import actions as places
from phases.drivers.ledger import Fence
from phases.models import Environment, Lock
from releases import dispatch, storage
from releases.engine import ahead, health, sweep
from releases.models import Promotion
from relman import doctor
from relman.clock import now
from tests import factories


@pytest.fixture
def shop(transactional_db, monkeypatch):
    monkeypatch.setattr(dispatch, "ring_now", lambda number: None)
    monkeypatch.setattr(sweep, "ring_now", lambda number: None)
    return factories.shop()


def look(**options):
    return {found.name: found for found in doctor.examine(gateway_too=False, **options)}


def raise_fence(environment, epoch):
    """The target has seen a later epoch than the record: as after the restore of an older database."""
    folder = Path(settings.HOME) / "scripted" / str(environment.pk)
    folder.mkdir(parents=True, exist_ok=True)
    with Fence(folder).held(epoch):
        pass


def test_a_healthy_installation(shop):
    places.set_configuration(
        shop.environments["dev"], {"TOKEN": {"value": "s", "secret": True}}, actor=shop.actor("devops")
    )
    shop.bring(shop.release(), "dev")
    assert [found.sentence for found in look().values() if not found.well] == []


def test_each_illness_is_named_with_its_cure(shop, monkeypatch):
    places.set_configuration(
        shop.environments["dev"], {"TOKEN": {"value": "s", "secret": True}}, actor=shop.actor("devops")
    )
    release = shop.release()
    storage.path_of(release.artifacts.get().digest).unlink()
    monkeypatch.setattr(settings, "SECRETS_KEYS", ["A" * 43 + "="])
    sweep.seal_record()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_event DISABLE TRIGGER audit_event_append_only")
        cursor.execute("UPDATE audit_event SET actor_name = 'nobody' WHERE verb = 'release.published'")
        cursor.execute("ALTER TABLE audit_event ENABLE TRIGGER audit_event_append_only")
    said = StringIO()
    with pytest.raises(CommandError) as error:
        call_command("doctor", stdout=said)
    assert error.value.returncode == 1
    lines = said.getvalue().splitlines()
    assert [line.split()[1] for line in lines if line.startswith("ILL")] == [
        "secrets",
        "artifacts",
        "record",
        "gateway",
    ]
    text = said.getvalue()
    assert "Today's keys do not open TOKEN of Shop in Dev." in text
    assert "1 artifacts are missing or damaged: Shop 1.0.0." in text
    assert "It is broken at link" in text


def test_a_lock_that_would_have_ended_by_itself_does_not_when_its_target_is_ahead(shop):
    dev = shop.environments["dev"]
    shop.bring(shop.release("1.0.0"), "dev")
    places.lock(dev, actor=shop.actor("devops"), reason="Audit", until=now() + timedelta(hours=1))
    raise_fence(dev, 40)
    look()
    lock = Lock.objects.get()
    assert (lock.reason, lock.until, lock.released_at) == ("Audit", None, None)


def test_a_target_that_is_ahead_is_held_until_a_person_has_looked(shop):
    dev = shop.environments["dev"]
    shop.bring(shop.release("1.0.0"), "dev")
    raise_fence(dev, 40)
    only = look(block=False)["targets"]
    assert not only.well
    assert not Lock.objects.exists()
    found = look()["targets"]
    assert not found.well
    assert "Shop in Dev" in found.sentence
    lock = Lock.objects.get(environment=dev)
    assert "it has seen epoch 40, the record knows" in lock.reason
    assert Environment.objects.get(pk=dev.pk).epoch == 40
    waiting = factories.run(shop.ask(shop.release("1.1.0"), "dev"))
    assert waiting.status == "waiting"
    live = Promotion.objects.get(status="succeeded")
    assert "nothing is started" in health.bring_back(dev, live)[0]
    assert not look()["targets"].well
    places.unlock(lock, actor=shop.actor("devops"))
    assert look()["targets"].well
    assert not ahead.held(dev)
    assert shop.bring(shop.release("1.2.0"), "dev").status == "succeeded"
