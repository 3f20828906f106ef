"""Maintenance: nothing starts, what runs finishes, everything can still be asked for and approved."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.test import Client

from releases import actions, queries
from releases.engine import doorbell, lease, runner, sweep
from releases.models import Maintenance, Promotion
from relman.audit.models import Event
from relman.errors import Conflict, Forbidden, Invalid
from tests import factories
from tests.waiting import in_background, waits_for_a_lock

WHY = "New disks, until 15:00."


def signed_in(actor):
    browser = Client()
    assert actor.user is not None
    browser.force_login(actor.user)
    return browser


def begin(shop):
    return actions.begin_maintenance(actor=shop.actor("admin"), reason=WHY)


def end(shop):
    return actions.end_maintenance(actor=shop.actor("admin"))


def state(shop, role="admin"):
    return queries.maintenance_state(shop.actor(role))


def test_nothing_starts_and_everything_can_be_asked_for(shop, bell):
    release = shop.release()
    shop.bring(release, "dev", "qa", "stage")
    begin(shop)
    asked = shop.approve(shop.ask(release, "live"))
    assert asked.status == "queued"
    doorbell.answer(asked.pk)
    runner.tick(asked.pk)
    assert lease.claim(asked.pk, environment=asked.environment_id) is None
    sweep.round_once()
    asked.refresh_from_db()
    assert (asked.status, asked.started_at) == ("queued", None)
    shown = queries.queue_of(shop.actor("developer"), asked)
    assert shown is not None and "maintenance" in shown.text and shown.estimate is None
    bell.clear()
    end(shop)
    assert bell == [asked.pk]
    assert factories.run(asked).status == "succeeded"


def test_what_runs_finishes_and_then_it_is_safe_to_stop(shop):
    promotion = shop.ask(shop.release(), "dev")
    claim = lease.claim(promotion.pk)
    assert claim is not None
    begin(shop)
    now = state(shop)
    assert (now.safe, now.text) == (False, "1 runs: Shop 1.0.0 to Dev.")
    runner.visit(claim)
    promotion.refresh_from_db()
    assert promotion.status == "succeeded"
    now = state(shop)
    assert (now.safe, now.text) == (True, "Safe to stop: nothing runs.")
    end(shop)
    assert not state(shop).safe


def test_what_one_may_not_see_is_neither_named_nor_counted(shop):
    assert lease.claim(shop.ask(shop.release(), "dev").pk) is not None
    other = factories.beside(shop, "other")
    assert lease.claim(other.ask(other.release(), "dev").pk) is not None
    begin(shop)
    shop.ask(shop.release("1.1.0"), "dev")
    unseen = state(shop, "stakeholder")
    assert (unseen.text, unseen.queued, len(unseen.running)) == ("Something still runs that you may not see.", 0, 1)
    assert not unseen.safe
    whole = state(shop, "admin")
    assert whole.text.startswith("2 run: ") and whole.queued == 1


def test_what_was_held_starts_in_order(shop, bell):
    asked = [one.ask(one.release(), "dev") for one in (factories.beside(shop, slug) for slug in ("b", "a"))]
    begin(shop)
    actions.expedite(asked[1], actor=shop.actor("release-manager"), reason=WHY)
    end(shop)
    for rung in list(bell):
        doorbell.answer(rung)
    assert [one.pk for one in Promotion.objects.order_by("started_at")] == [asked[1].pk, asked[0].pk]


def test_a_claim_that_is_under_way_is_counted_before_the_beginning_returns(shop):
    promotion = shop.ask(shop.release(), "dev")
    with transaction.atomic():
        assert lease.claim(promotion.pk) is not None
        thread = in_background(lambda: begin(shop))
        assert waits_for_a_lock(thread), "it waits for the claim"
    thread.join(60)
    begun = Maintenance.objects.get()
    promotion.refresh_from_db()
    assert promotion.started_at is not None and promotion.started_at < begun.began_at


def test_a_claim_waits_for_a_beginning_that_is_under_way(shop):
    promotion = shop.ask(shop.release(), "dev")
    with transaction.atomic():
        begin(shop)
        thread = in_background(lambda: doorbell.answer(promotion.pk))
        assert waits_for_a_lock(thread)
    thread.join(60)
    promotion.refresh_from_db()
    assert promotion.status == "queued"


def test_only_administrators(shop):
    for role in ("devops", "release-manager"):
        with pytest.raises(Forbidden, match="Administrator"):
            actions.begin_maintenance(actor=shop.actor(role), reason=WHY)
    begin(shop)
    with pytest.raises(Forbidden):
        actions.end_maintenance(actor=shop.actor("release-manager"))


def test_it_needs_a_reason_and_is_on_once(shop):
    for said in ("", " ", "x" * 1001):
        with pytest.raises(Invalid):
            actions.begin_maintenance(actor=shop.actor("admin"), reason=said)
    with pytest.raises(Conflict):
        end(shop)
    begin(shop)
    with pytest.raises(Conflict, match="already"):
        begin(shop)
    end(shop)
    begin(shop)
    assert Maintenance.objects.count() == 2


def test_it_is_recorded(shop):
    begin(shop)
    end(shop)
    found = Event.objects.filter(verb__startswith="maintenance.").order_by("id")
    assert [(one.verb, one.detail, one.actor_name) for one in found] == [
        ("maintenance.began", WHY, "Administrator"),
        ("maintenance.ended", WHY, "Administrator"),
    ]


def test_every_page_says_so_and_its_own_says_when_to_stop(shop):
    browser, boss = signed_in(shop.actor("stakeholder")), signed_in(shop.actor("admin"))
    pages = ("/board/", "/approvals/", "/me/", "/help/", "/audit/", "/maintenance/banner/")
    assert not any("Maintenance since" in browser.get(page).content.decode() for page in pages)
    assert boss.post("/maintenance/", {"on": "yes", "reason": ""}).status_code == 400
    assert boss.post("/maintenance/", {"on": "yes", "reason": WHY}).status_code == 302
    for page in pages:
        text = browser.get(page).content.decode()
        assert "Maintenance since" in text and "by <bdi>Administrator</bdi>" in text and WHY in text, page
    text = boss.get("/maintenance/").content.decode()
    assert "Safe to stop: nothing runs." in text and "End the maintenance" in text
    assert "Maintenance</a> since" in boss.get("/admin/").content.decode()
    assert boss.post("/maintenance/", {"on": "yes", "reason": WHY}).status_code == 409
    assert boss.post("/maintenance/", {"on": "no"}).status_code == 302
    assert "Maintenance since" not in browser.get("/board/").content.decode()


def test_who_sees_nothing_yet_is_told_too(shop):
    begin(shop)
    assert WHY in signed_in(factories.person()).get("/board/").content.decode()
