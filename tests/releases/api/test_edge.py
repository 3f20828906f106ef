"""The API's edge: who is let in, what every error looks like, and its description."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import authenticate
from django.db import OperationalError
from django.test import Client
from django.urls import get_resolver

from phases import actions as places
from phases import tokens
from phases.models import Token
from releases.api import urls
from releases.models import Promotion
from relman import clock, throttle
from relman.actors import Actor
from relman.models import Failure
from tests import factories
from tests.client import PROBLEM, Api, good, refused

ADDRESSES = [
    pattern.pattern._route.replace("<str:slug>", "shop")
    .replace("<str:application>", "shop")
    .replace("<str:phase>", "dev")
    .replace("<str:version>", "1.0.0")
    .replace("<int:number>", "1")
    for pattern in urls.urlpatterns
    if hasattr(pattern.pattern, "_route")
]


@pytest.fixture
def shop(db, bell):
    """Nothing here needs the engine, so nothing needs to be committed."""
    return factories.shop()


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_address_asks_for_a_token(db, address):
    """Attack 1: nothing is told to strangers."""
    for api in (Api(), Api(raw="rlm_abcdefghijkl_" + "x" * 43), Api(raw="nonsense")):
        for method in ("GET", "POST"):
            answer = api.call(method, address, None if method == "GET" else {})
            refused(answer, 401, "unauthenticated")
            assert answer["WWW-Authenticate"] == "Bearer"


def test_expired_revoked_and_disabled_tokens_are_401(shop, api):
    developer = api("developer")
    good(developer.get("me/"))
    token = Token.objects.get()
    Token.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    assert refused(developer.get("me/"), 401)["code"] == "unauthenticated"
    Token.objects.update(expires_at=None)
    good(developer.get("me/"))
    token.owner.is_active = False
    token.owner.save()
    assert refused(developer.get("me/"), 401)["code"] == "unauthenticated"
    token.owner.is_active = True
    token.owner.save()
    assert good(developer.get("me/"))["username"] == token.owner.username
    tokens.revoke(token, actor=Actor(token.owner, "page"))
    assert refused(developer.get("me/"), 401)["code"] == "unauthenticated"


@pytest.mark.parametrize("header", ["Bearer", "Bearer  ", "Basic YTpi", "Token x", "rlm_x", "Bearer a b", "Bearer é"])
def test_malformed_authorisation_is_401(db, header):
    answer = Api().get("me/", authorization=header)
    refused(answer, 401, "unauthenticated")
    assert answer["WWW-Authenticate"] == "Bearer"


def test_made_up_tokens_are_throttled_and_good_ones_are_not(shop, api, monkeypatch):
    monkeypatch.setattr(throttle, "TOKENS", throttle.Limit(5, 300))
    developer = api("developer")
    for _ in range(5):
        refused(Api(raw="made-up").get("me/"), 401)
    answer = Api(raw="made-up").get("me/")
    refused(answer, 429, "throttled")
    assert 200 <= int(answer["Retry-After"]) <= 300  # the first failure is a moment old
    good(developer.get("me/"))


def test_wrong_passwords_are_throttled_alike_for_known_and_unknown(shop, rf, monkeypatch):
    monkeypatch.setattr(throttle, "PERSON", throttle.Limit(3, 300))
    known = shop.actor("developer").user
    known.set_password("right and long")
    known.save()
    for name in (known.username, "nobody"):
        for _ in range(3):
            assert authenticate(rf.post("/"), username=name, password="x") is None
        with pytest.raises(throttle.TooMany):
            authenticate(rf.post("/"), username=name, password="right and long")
    assert authenticate(rf.post("/", REMOTE_ADDR="10.0.0.9"), username=known.username, password="right and long")
    Failure.objects.update(at=clock.now() - timedelta(minutes=6))
    assert authenticate(rf.post("/"), username=known.username, password="right and long") == known


def test_a_session_works_with_its_key_and_only_with_it(shop):
    client = Client(enforce_csrf_checks=True)
    client.force_login(shop.actor("developer").user)
    assert client.get("/api/v1/me/").status_code == 200
    answer = client.post("/api/v1/promotions/", "{}", content_type="application/json")
    refused(answer, 403, "csrf")


@pytest.mark.parametrize("path", ["nothing/", "", "promotions/1/2/3/", "promotions/abc/", "../../secret"])
def test_unknown_addresses_are_404_documents(api, path):
    for answer in (api("developer").get("/api/v1/" + path), Api().get("/api/v2/")):
        document = refused(answer, 404, "not_found")
        assert set(document) == {"type", "title", "status", "code", "detail"}, "nothing more is told"


def test_the_wrong_method_is_405(api):
    for answer, may in (
        (api("developer").delete("promotions/"), {"GET", "POST"}),
        (api("developer").post("board/"), {"GET"}),
    ):
        refused(answer, 405, "method_not_allowed")
        assert may <= set(answer["Allow"].split(", "))


def test_the_wrong_media_type_is_415(api):
    answer = api("developer").client.post(
        "/api/v1/promotions/", "a=b", content_type="text/csv", headers=api("developer").headers
    )
    refused(answer, 415, "unsupported_media_type")
    assert not Promotion.objects.exists()


@pytest.mark.parametrize(
    "body",
    ["[" * 100_000 + "]" * 100_000, '{"a":' * 50_000 + "1" + "}" * 50_000, "{", "9" * 6000],
    ids=["[", "{", "x", "9"],
)
def test_what_python_cannot_read_is_malformed(api, body):
    developer = api("developer")
    address, kind = "/api/v1/promotions/", "application/json"
    answer = developer.client.post(address, body, content_type=kind, headers=developer.headers)
    assert answer.status_code == 400


@pytest.mark.parametrize("when", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00%2B23:59", "2026-06-31T00:00:00Z"])
def test_a_moment_beyond_the_calendar_is_no_filter(api, when):
    said = refused(api("developer").get(f"events/?since={when}"), 400, "invalid")
    assert "results" not in said


@pytest.mark.parametrize("address", ["/api/v1/events/", "/audit/"])
def test_a_zone_that_no_place_has_is_reckoned_all_the_same(shop, address):
    client = Client()
    client.force_login(shop.actor("developer").user)
    for zone in ("%2B23:59", "-23:59"):
        answer = client.get(f"{address}?since=2020-06-16T00:00:00{zone}")
        assert answer.status_code == 200 and "developer" in answer.content.decode().lower()


def test_no_answer_is_kept_by_whoever_stands_between(api):
    for path in ("me/", "board/", "promotions/", "applications/nothing/"):
        assert api("developer").get(path)["Cache-Control"] == "no-store"


def test_too_big_a_document_is_413(api, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    refused(api("developer").post("promotions/", {"comment": "x" * 200}), 413, "too_big")
    assert not Promotion.objects.exists()


def test_the_unforeseen_is_a_500_document_without_details(api, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("secret detail")

    monkeypatch.setattr("releases.queries.get_promotion", broken)
    answer = api("developer").get("promotions/1/")
    refused(answer, 500, "unexpected")
    assert b"secret" not in answer.content


def test_a_silent_database_is_503_and_says_when_to_come_back(api, monkeypatch):
    def gone(*_, **__):
        raise OperationalError("server closed the connection")

    developer = api("developer")
    monkeypatch.setattr("releases.queries.get_promotion", gone)
    answer = developer.get("promotions/1/")
    refused(answer, 503, "unavailable")
    assert answer["Retry-After"] == "2"
    assert b"closed" not in answer.content


def test_nul_characters_are_refused_everywhere(api):
    developer, wish = api("developer"), {"application": "shop\x00", "version": "1.0.0", "phase": "dev"}
    assert refused(developer.get("applications/a%00b/"), 404)["code"] == "not_found"
    for answer in (developer.get("promotions/?application=%00"), developer.post("promotions/", wish)):
        assert refused(answer, 400)["code"] == "invalid"
    assert refused(developer.get("promotions/99999999999999999999999999/"), 404)["code"] == "not_found"


def test_a_right_given_counts_on_the_next_request(shop, api):
    someone = places.create_user(actor=shop.actor("admin"), username="new", name="New")
    client = Api(someone)
    assert refused(client.get("environments/shop/dev/"), 404)["code"] == "not_found"
    from phases.models import Role

    grant = places.grant(Role.objects.get(slug="developer"), shop.phase("dev"), actor=shop.actor("admin"), user=someone)
    assert good(client.get("environments/shop/dev/"))["phase"]
    places.revoke(grant, actor=shop.actor("admin"))
    assert refused(client.get("environments/shop/dev/"), 404)["code"] == "not_found"


def test_the_description_names_every_address(db):
    document = good(Client().get("/api/schema/?format=json"))
    assert set(document["paths"]) == {
        "/api/v1/" + pattern.pattern._route.replace("<str:", "{").replace("<int:", "{").replace(">", "}")
        for pattern in urls.urlpatterns
        if hasattr(pattern.pattern, "_route")
    }
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["description"]
            assert PROBLEM in operation["responses"]["401"]["content"]


def test_the_page_about_the_api_is_readable_by_everybody(db):
    page = Client().get("/api/docs/")
    assert page.status_code == 200
    text = page.content.decode()
    assert "curl -H" in text and "promotions/<wbr>{number}/<wbr>approve/" in text
    assert "<script>" not in text and "onclick" not in text
    assert "unsafe" not in page["Content-Security-Policy"]


def test_no_address_of_the_api_is_left_out_here(db):
    names = {name for name in get_resolver().reverse_dict if isinstance(name, str) and name.startswith("api-")}
    assert len(ADDRESSES) == len(names) - 2  # the description and its page


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_an_address_without_its_last_slash_is_unknown_and_says_so_whatever_the_method(shop, api, method):
    """The test client skips the key of forms unless it is asked not to: a program has none."""
    developer = api("developer")
    developer.client = Client(enforce_csrf_checks=True)
    answer = developer.call(method, "promotions", None if method == "GET" else {"application": "shop"})
    assert "ends with a slash" in refused(answer, 404, "not_found")["detail"]


def test_a_refused_request_says_in_its_sentence_which_field_is_not_right(shop, api):
    problem = refused(api("developer").post("promotions/", {"application": "shop", "phase": None}), 400, "invalid")
    assert problem["detail"].startswith("version: ") and problem["detail"].endswith("Not right either: phase.")
    assert set(problem["fields"]) == {"version", "phase"}


def test_events_are_filtered_by_who_did_it(shop, api):
    developer = shop.actor("developer").user
    shop.release()
    good(api("developer").post("promotions/", {"application": "shop", "version": "1.0.0", "phase": "dev"}), 201)
    mine = good(api("devops").get(f"events/?actor={developer.username}"))["results"]
    assert mine and {row["actor"] for row in mine} == {developer.display}
    assert len(mine) < len(good(api("devops").get("events/"))["results"])
    assert good(api("devops").get("events/?actor=nobody"))["results"] == []
