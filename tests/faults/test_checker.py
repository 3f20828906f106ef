"""The checker finds what it is there to find: lies planted in the target's ledger, in the record and in the chain."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from releases.models import Promotion, Step
from releases.transitions import advance
from relman.actors import Actor
from relman.audit.models import Event
from tests import factories
from tests.faults import checker


@pytest.fixture
def promotion(transactional_db, tmp_path, monkeypatch):
    """One that went well, on a target of its own."""
    monkeypatch.setenv("RELMAN_HOME", str(tmp_path))
    monkeypatch.setattr(settings, "HOME", tmp_path)
    (tmp_path / "log").mkdir()
    shop = factories.shop()
    return shop.bring(shop.release(), "dev")


@pytest.fixture
def look(promotion, tmp_path):
    return lambda accepted=(): checker.check(tmp_path, accepted, "hush")


def ledger(promotion: Promotion, home: Path) -> Path:
    return home / "scripted" / str(promotion.environment_id) / "ledger.jsonl"


def test_it_has_nothing_against_what_went_well(look, promotion):
    found = look([promotion.pk])
    assert found.sentences == []


def test_a_second_effect_is_doubled_and_a_recognised_one_is_not(look, promotion, tmp_path):
    path = ledger(promotion, tmp_path)
    last = json.loads(path.read_text().splitlines()[-1])
    with path.open("a") as file:
        file.write(json.dumps({**last, "repeated": True}) + "\n")
    assert (look().doubled, look().repeated) == ([], 1)
    with path.open("a") as file:
        file.write(json.dumps(last) + "\n")
    assert len(look().doubled) == 1


def test_a_recorded_step_without_an_effect_is_lost(look, promotion, tmp_path):
    ledger(promotion, tmp_path).write_text("")
    assert len(look().lost) == 2


def test_effects_out_of_turn_are_wrong(look, promotion, tmp_path):
    path = ledger(promotion, tmp_path)
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    assert any("after step" in one for one in look().wrong)


def test_an_accepted_request_that_is_gone_or_still_open_is_lost(look, promotion):
    assert look([promotion.pk + 1]).lost
    Promotion.objects.filter(pk=promotion.pk).update(cleanup="due")
    assert look().lost


def test_another_version_at_the_target_is_wrong(look, promotion, tmp_path):
    (ledger(promotion, tmp_path).parent / "serving.json").write_text("{}")
    assert any("runs" in one for one in look().wrong)


def test_a_status_that_was_written_past_the_record_is_wrong(look, promotion):
    Promotion.objects.filter(pk=promotion.pk).update(status="failed")
    assert any("its events end with" in one for one in look().wrong)
    Step.objects.filter(promotion=promotion, number=1).update(status="pending")
    assert any("says pending" in one for one in look().wrong)


def test_giving_up_without_need_is_wrong(look, promotion):
    Promotion.objects.filter(pk=promotion.pk).update(status="running")
    fresh = Promotion.objects.select_related("environment__application", "release").get(pk=promotion.pk)
    advance(fresh, "errored", actor=Actor.system(), reason="The driver broke off.")
    assert any("gave up" in one for one in look().wrong)


def test_a_changed_event_breaks_the_chain(look, promotion):
    assert look().wrong == []
    event = Event.objects.filter(promotion_id=promotion.pk).first()
    assert event is not None
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE audit_event SET detail = 'other' WHERE id = %s", [event.pk])
        cursor.execute("SET session_replication_role = DEFAULT")
    assert any("was changed" in one for one in look().wrong)


def test_a_secret_in_a_log_is_wrong(look, promotion, tmp_path):
    (tmp_path / "log" / "worker.log").write_text("the password is hush")
    assert look().wrong == ["worker.log holds a secret"]
