"""One key, one execution: equal answers, also to twenty at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F

from releases.models import IdempotencyKey, Promotion, Release
from relman.audit.models import Event
from tests.client import good, refused

WISH = {"application": "shop", "version": "1.0.0", "phase": "dev"}


def at_once(count, act):
    """Run `act` in so many threads that start together; their answers."""
    barrier = threading.Barrier(count)

    def one(_):
        barrier.wait()
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_the_same_key_again_gives_the_same_answer(shop, api):
    shop.release()
    developer = api("developer")
    first = developer.post("promotions/", WISH, key="one")
    second = developer.post("promotions/", dict(reversed(WISH.items())), key="one")
    assert good(first, 201) == good(second, 201)
    assert first.content == second.content
    assert Promotion.objects.count() == 1


def test_twenty_at_once_are_one_promotion_and_twenty_equal_answers(shop, api):
    shop.release()
    developer = api("developer")
    answers = at_once(20, lambda: developer.post("promotions/", WISH, key="twenty"))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert Promotion.objects.count() == 1
    assert Event.objects.filter(verb="promotion.requested").count() == 1


def test_twenty_uploads_at_once_are_one_release(api, archive):
    robot, data = api("ci-robot"), archive()
    answers = at_once(20, lambda: robot.publish("shop", "1.0.0", data, key="upload"))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert Release.objects.count() == 1


def test_twenty_uploads_without_a_key_are_one_release_too(api, archive):
    robot, data = api("ci-robot"), archive()
    answers = at_once(20, lambda: robot.publish("shop", "1.0.0", data))
    assert sorted({answer.status_code for answer in answers}) == [200, 201]
    assert Release.objects.count() == 1


def test_another_body_with_the_key_is_422(shop, api, archive):
    shop.release()
    developer = api("developer")
    good(developer.post("promotions/", WISH, key="one"), 201)
    refused(developer.post("promotions/", {**WISH, "comment": "x"}, key="one"), 422, "idempotency_key_reused")
    robot = api("ci-robot")
    good(robot.publish("shop", "2.0.0", archive("a"), key="up"), 201)
    refused(robot.publish("shop", "2.0.0", archive("b"), key="up"), 422, "idempotency_key_reused")
    refused(robot.publish("shop", "2.0.1", archive("a"), key="up"), 422, "idempotency_key_reused")
    assert [one.comment for one in Promotion.objects.all()] == [""]
    assert set(Release.objects.values_list("version", flat=True)) == {"1.0.0", "2.0.0"}


def test_a_key_belongs_to_one_person_and_one_address(shop, api):
    shop.release()
    first = good(api("developer").post("promotions/", WISH, key="one"), 201)
    second = good(api("ci-robot").post("promotions/", WISH, key="one"), 201)
    third = good(api("developer").post(f"promotions/{second['id']}/cancel/", key="one"))
    assert first["id"] != second["id"] == third["id"]
    assert third["status"] == "cancelled" and IdempotencyKey.objects.count() == 3


def test_a_refusal_of_the_verb_is_kept_and_recorded_once(shop, api):
    shop.release()
    manager = api("release-manager")
    live = {**WISH, "phase": "live"}
    first = manager.post("promotions/", live, key="one")
    again = manager.post("promotions/", live, key="one")
    assert refused(first, 409) == refused(again, 409)
    assert Event.objects.filter(outcome="refused").count() == 1


def test_what_was_malformed_or_forbidden_is_asked_anew(shop, api):
    developer = api("developer")
    refused(developer.post("promotions/", WISH, key="one"), 404)
    refused(developer.post("promotions/", {"phase": "dev"}, key="one"), 400)
    shop.release()
    refused(developer.post("promotions/", {**WISH, "phase": "live"}, key="one"), 403)
    assert Event.objects.filter(outcome="refused").count() == 1
    assert IdempotencyKey.objects.count() == 0
    good(developer.post("promotions/", WISH, key="one"), 201)


def test_a_narrow_token_does_not_read_a_wide_ones_answer(shop, api):
    shop.release()
    good(api("developer").post("promotions/", WISH, key="one"), 201)
    good(api("developer").post("promotions/", WISH, key="one"), 201)
    refused(api("developer", rights=["view"]).post("promotions/", WISH, key="one"), 422)
    assert Promotion.objects.count() == 1


@pytest.mark.parametrize("key", ["k" * 201, "\x07"])
def test_a_key_that_is_none_is_400(shop, api, key):
    shop.release()
    refused(api("developer").post("promotions/", WISH, key=key), 400)
    assert not Promotion.objects.exists() and not IdempotencyKey.objects.exists()


def test_keys_are_forgotten_after_a_day(shop, api):
    shop.release()
    developer = api("developer")
    good(developer.post("promotions/", WISH, key="one"), 201)
    IdempotencyKey.objects.update(created_at=F("created_at") - timedelta(hours=25))
    good(developer.post("promotions/", WISH, key="one"), 201)
    assert Promotion.objects.count() == 2
