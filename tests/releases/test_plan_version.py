"""Plans of newer code: processes of before neither claim them, nor freeze them anew."""

from __future__ import annotations

import pytest
from django.db import connection

from releases import actions, formats
from releases.engine import advance_waiting, doorbell, lease, runner
from releases.models import Outbox, Promotion


@pytest.fixture
def newer(shop, monkeypatch):
    """What newer code does: asks for a promotion."""

    def ask(release, phase):
        with monkeypatch.context() as patched:
            patched.setattr(formats, "PLAN", formats.PLAN + 1)
            return shop.ask(release, phase)

    return ask


def test_a_plan_is_frozen_with_the_number_of_its_format(shop):
    assert shop.ask(shop.release(), "dev").plan_version == formats.PLAN


def test_an_older_worker_does_not_claim_it_and_leaves_it_in_the_outbox(shop, newer):
    promotion = newer(shop.release(), "dev")
    runner.tick(promotion.pk)
    doorbell.answer(promotion.pk)
    promotion.refresh_from_db()
    assert (promotion.status, promotion.epoch) == ("queued", 0)
    assert Outbox.objects.filter(promotion=promotion).exists()


def test_a_newer_worker_does(shop, newer, monkeypatch):
    promotion = newer(shop.release(), "dev")
    monkeypatch.setattr(formats, "PLAN", formats.PLAN + 1)
    doorbell.answer(promotion.pk)
    promotion.refresh_from_db()
    assert promotion.status == "succeeded"


def test_an_older_worker_does_not_take_over_what_runs(shop, newer, monkeypatch):
    promotion = newer(shop.release(), "dev")
    with monkeypatch.context() as patched:
        patched.setattr(formats, "PLAN", formats.PLAN + 1)
        held = lease.claim(promotion.pk)
    assert held is not None
    Promotion.objects.filter(pk=promotion.pk).update(lease_until=None)
    doorbell.answer(promotion.pk)
    promotion.refresh_from_db()
    assert (promotion.status, promotion.epoch) == ("running", held.epoch)


def test_what_waits_keeps_its_plan_and_its_approvals_when_an_older_process_asks_the_gates(shop, newer):
    release = shop.release()
    shop.bring(release, "dev", "qa", "stage")
    promotion = newer(release, "live")
    Promotion.objects.filter(pk=promotion.pk).update(seal="another reading of the same")
    actions.approve(promotion, actor=shop.actor("business-owner"), seal="another reading of the same")
    actions.approve(promotion, actor=shop.actor("qa-engineer"), seal="another reading of the same")
    assert not advance_waiting.one(promotion.pk)
    promotion.refresh_from_db()
    assert (promotion.status, promotion.seal) == ("waiting", "another reading of the same")
    assert promotion.approvals.filter(voided_at=None).count() == 2


def test_a_web_process_of_before_that_knows_no_number_can_still_ask(shop):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_default FROM information_schema.columns "
            "WHERE table_name = 'releases_promotion' AND column_name = 'plan_version'"
        )
        assert cursor.fetchone() == ("1",)
