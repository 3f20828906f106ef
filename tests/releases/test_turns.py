"""Fair share: whoever rings, the promotion whose turn it is starts."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from phases import actions as places
from releases import formats
from releases.engine import doorbell, lease, runner, sweep
from releases.models import Promotion
from releases.queries import turns
from tests import factories
from tests.waiting import in_background, until


@pytest.fixture
def crowd(shop):
    """Four promotions of the first application wait, then two of the second, then one of the third; all in Dev."""
    places.set_phase(shop.phase("dev"), actor=shop.actor("admin"), in_order=True)
    shops = [factories.beside(shop, slug) for slug in ("first", "second", "third")]
    return [
        [one.ask(one.release(f"1.{number}.0"), "dev") for number in range(many)]
        for one, many in zip(shops, (4, 2, 1), strict=True)
    ]


def started():
    """Application and version, in the order in which they began."""
    rows = Promotion.objects.exclude(started_at=None).order_by("started_at")
    return [f"{slug} {version}" for slug, version in rows.values_list("release__application__slug", "release__version")]


FAIR = ["first 1.0.0", "second 1.0.0", "third 1.0.0", "first 1.1.0", "second 1.1.0", "first 1.2.0", "first 1.3.0"]


def test_applications_take_turns_whoever_rang_first(crowd):
    rings = [promotion.pk for several in crowd for promotion in several]
    assert [turn.id for turn in turns.line()] == [
        crowd[0][0].pk, crowd[1][0].pk, crowd[2][0].pk, crowd[0][1].pk, crowd[1][1].pk, crowd[0][2].pk, crowd[0][3].pk
    ]  # fmt: skip
    for rung in rings:
        doorbell.answer(rung)
    assert started() == FAIR
    assert set(Promotion.objects.values_list("status", flat=True)) == {"succeeded"}


def test_who_was_served_longest_ago_comes_before_who_asked_first(shop):
    shops = [factories.beside(shop, slug) for slug in ("first", "second")]
    release = shops[0].release()
    factories.run(shops[0].ask(release, "dev"))
    again, other = shops[0].ask(release, "dev"), shops[1].ask(shops[1].release(), "dev")
    doorbell.answer(again.pk)
    other.refresh_from_db()
    again.refresh_from_db()
    assert (other.status, again.status) == ("succeeded", "succeeded")
    assert started() == ["first 1.0.0", "second 1.0.0", "first 1.0.0"]


def test_one_ring_is_enough_for_all_that_its_visits_make_possible(crowd, bell):
    bell.clear()
    doorbell.answer(crowd[0][0].pk)
    assert started() == FAIR
    assert bell == []


def test_after_many_visits_the_others_are_rung_for(crowd, bell, monkeypatch):
    monkeypatch.setattr(doorbell, "LONGEST", 2)
    bell.clear()
    doorbell.answer(crowd[0][0].pk)
    assert started() == FAIR[:2]
    assert bell == [crowd[2][0].pk]


def test_a_worker_that_is_asked_to_stop_leaves_the_others_to_the_next(crowd, bell, monkeypatch):
    flag = threading.Event()
    monkeypatch.setattr(doorbell, "stopping", flag)
    visit = runner.visit

    def stop_meanwhile(*taken):
        visit(*taken)
        flag.set()

    monkeypatch.setattr(runner, "visit", stop_meanwhile)
    bell.clear()
    doorbell.answer(crowd[0][0].pk)
    assert started() == FAIR[:1]
    assert bell == [crowd[1][0].pk]


def test_many_rings_at_once_take_different_ones_each_once(crowd):
    threads = [in_background(lambda: doorbell.answer(crowd[0][0].pk)) for _ in range(12)]
    for thread in threads:
        thread.join(60)
    while any(Promotion.objects.filter(status="queued")):
        doorbell.answer(crowd[0][0].pk)
    assert sorted(started()) == sorted(FAIR)
    assert set(Promotion.objects.values_list("status", "takeovers")) == {("succeeded", 0)}
    assert set(Promotion.objects.values_list("steps__attempts", flat=True)) <= {0, 1}


def test_what_runs_goes_on_before_anything_new_starts(crowd):
    running = lease.claim(crowd[0][0].pk)
    assert running is not None
    Promotion.objects.filter(pk=running.promotion.pk).update(lease_until=Now() - timedelta(seconds=1))
    doorbell.answer(crowd[1][0].pk)
    first, *others = [Promotion.objects.get(pk=several[0].pk) for several in crowd]
    assert (first.status, first.takeovers) == ("succeeded", 1)
    ended = Promotion.objects.filter(pk__in=[one.pk for one in others], started_at__gt=first.finished_at)
    assert ended.count() == len(others)


def test_a_locked_environment_is_passed_over_and_not_waited_for(crowd):
    from django.db import transaction

    with transaction.atomic():
        places_of_first = crowd[0][0].environment
        type(places_of_first).objects.select_for_update().get(pk=places_of_first.pk)
        thread = in_background(lambda: doorbell.answer(crowd[0][0].pk))
        assert until(lambda: len(started()) == 3, 60)
        assert not any(one.startswith("first") for one in started())
    thread.join(60)
    assert not thread.is_alive()
    assert len(started()) == len(FAIR)


def test_what_may_not_start_leaves_the_ring_to_the_next(crowd):
    places.lock(crowd[0][0].environment, actor=factories.Shop.actor(crowd_shop(crowd), "devops"), reason="Audit")
    doorbell.answer(crowd[0][0].pk)
    assert started() == ["second 1.0.0", "third 1.0.0", "second 1.1.0"]
    assert Promotion.objects.get(pk=crowd[0][0].pk).status == "waiting"


def test_one_that_cannot_be_started_stops_nobody_behind_it_and_comes_back_once_it_can(shop):
    shops = [factories.beside(shop, slug) for slug in ("first", "second")]
    broken, other = [one.ask(one.release(), "dev") for one in shops]
    place = type(broken.environment).objects.filter(pk=broken.environment_id)
    known = type(broken.environment).objects.get(pk=broken.environment_id).findings
    place.update(findings=[{"ok": False}])  # past every check, as a mistake would come
    doorbell.answer(other.pk)
    assert started() == ["second 1.0.0"]
    broken.refresh_from_db()
    assert broken.status == "waiting"
    assert broken.reason.startswith("RelMan could not ask its gates (KeyError)")
    place.update(findings=known)
    sweep.round_once()
    doorbell.answer(broken.pk)
    assert started() == ["second 1.0.0", "first 1.0.0"]


def crowd_shop(crowd):
    """Whoever works with the crowd's pipeline."""
    from phases.models import User

    pipeline = crowd[0][0].environment.application.pipeline
    people = {role: User.objects.get(username=f"shop-{role}") for role in factories.ROLES}
    return factories.Shop(pipeline, crowd[0][0].environment.application, people)


def test_the_order_reads_no_promotion_that_has_ended(crowd):
    done = factories.run(crowd[2][0])
    assert done.status == "succeeded"
    with connection.cursor() as cursor:
        columns = ", ".join(f'"{field.column}"' for field in Promotion._meta.concrete_fields if not field.primary_key)
        table = Promotion._meta.db_table
        copy = f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table}, generate_series(1, 4000) WHERE id = %s"
        cursor.execute(copy, [done.pk])
        cursor.execute(f"ANALYZE {table}")
        values = {"rung": crowd[0][0].pk, "limit": turns.TRIES, "format": formats.PLAN}
        for sql in (turns.DUE, turns.LINE):
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values)
            (plan,) = cursor.fetchone()
            plan = json.loads(plan) if isinstance(plan, str) else plan
            assert max(rows_read(plan[0]["Plan"], table)) <= 10


def rows_read(node, table):
    """How many rows each node of the plan has read from the table."""
    if node.get("Relation Name") == table:
        dropped = sum(value for name, value in node.items() if name.startswith("Rows Removed"))
        yield node["Actual Rows"] + dropped
    for inner in node.get("Plans", []):
        yield from rows_read(inner, table)
