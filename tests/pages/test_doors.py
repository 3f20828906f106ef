"""Signing in and out, and what one sets for oneself."""

import re
from datetime import timedelta
from html import unescape
from urllib.parse import urlencode

import pytest
from django.test import Client

from phases.models import Token, User
from relman import clock, throttle
from relman.throttle import PERSON, TooMany, check

WRONG = "The user name or the password is wrong."


@pytest.fixture
def maya(db):
    return User.objects.create_user("maya", password="correct horse", name="Maya Lindqvist")


def signin(client, name="maya", password="correct horse", **more):
    return post(client, "/signin/", {"username": name, "password": password, **more})


def post(client, path, fields):
    """As a form without files sends it."""
    return client.post(path, urlencode(fields), content_type="application/x-www-form-urlencoded")


def test_the_right_password_opens_what_was_asked_for(maya):
    client = Client()
    answer = signin(client, next="/apps/?q=x")
    assert (answer.status_code, answer["Location"]) == (302, "/apps/?q=x")
    assert client.get("/me/").status_code == 200


@pytest.mark.parametrize(
    "asked,said",
    [("/apps/shop/releases/1.4.0/", "shop 1.4.0"), ("/approvals/12/", "the approval of promotion 12"),
     ("/board/?q=x", "the board"), ("/nowhere/{x}/", "/nowhere/{x}/"), ("/help/", "/help/")],
)  # fmt: skip
def test_the_door_says_what_opens_then(asked, said):
    page = Client().get("/signin/", {"next": asked}).content.decode()
    assert f"Then opens <b>{said}</b>." in page


@pytest.mark.parametrize("path", ["/board/?q=cat", "/search/?q=ma", "/board/row/shop/"])
def test_a_script_of_a_page_whose_session_ended_sends_the_whole_window_to_the_door(db, path):
    answer = Client().get(path, headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (401, f"/signin/?{urlencode({'next': path})}")
    assert "<" not in answer.content.decode(), "no list takes it for its own"
    assert Client().get(path).status_code == 302


@pytest.mark.parametrize("name,password", [("maya", "wrong"), ("nobody", "correct horse"), ("MAYA ", "x")])
def test_one_message_for_a_wrong_name_and_a_wrong_password(maya, name, password):
    answer = signin(Client(), name, password)
    assert WRONG in answer.content.decode()
    assert "correct horse" not in answer.content.decode()


@pytest.mark.parametrize(
    "elsewhere",
    ["https://example.org/", "//example.org/", "/\\example.org", "javascript:alert(1)", "http:example.org", "\n//x", "",
     "/%0d%0aSet-Cookie:x=1\r\n", "///example.org", "/\t/example.org"],
)  # fmt: skip
def test_one_never_ends_up_elsewhere(maya, elsewhere):
    answer = signin(Client(), next=elsewhere)
    assert answer.status_code == 302
    assert answer["Location"] in ("/", "/%0d%0aSet-Cookie:x=1")


def test_guessing_is_slowed_down_and_says_so(maya):
    client = Client()
    for _ in range(PERSON.failures):
        signin(client, password="wrong")
    answer = signin(client)
    assert answer.status_code == 429
    assert "Too many failed attempts" in answer.content.decode()
    assert client.get("/me/").status_code == 302


def test_somebody_signed_in_is_not_asked_again(maya):
    client = Client()
    client.force_login(maya)
    assert client.get("/signin/?next=/apps/")["Location"] == "/apps/"


def test_signing_out_is_a_post_and_ends_the_session(maya):
    client = Client()
    client.force_login(maya)
    assert client.get("/signout/").status_code == 405
    assert client.post("/signout/")["Location"] == "/signin/"
    assert client.get("/me/").status_code == 302


def test_admin_has_the_same_door(maya):
    client = Client()
    assert client.get("/admin/login/?next=/admin/")["Location"] == "/signin/?next=%2Fadmin%2F"
    client.force_login(maya)
    assert client.get("/admin/login/?next=/admin/")["Location"] == "/board/"


def test_the_display_is_kept(maya):
    client = Client()
    client.force_login(maya)
    client.post("/me/", {"save": "1", "theme": "dark", "time_zone": "Europe/Berlin"})
    maya.refresh_from_db()
    assert (maya.theme, maya.time_zone, maya.shortcuts) == ("dark", "Europe/Berlin", False)
    page = client.get("/help/").content.decode()
    assert 'data-theme="dark"' in page and 'data-zone="Europe/Berlin"' in page and 'data-shortcuts="off"' in page


def test_an_unknown_zone_is_refused_and_what_was_typed_stays(maya):
    client = Client()
    client.force_login(maya)
    answer = client.post("/me/", {"save": "1", "theme": "dark", "time_zone": "Europe/Nowhere"})
    assert answer.status_code == 400
    assert '<option value="Europe/Nowhere" selected>' in answer.content.decode()


def test_a_zone_is_chosen_from_a_list(maya):
    client = Client()
    client.force_login(maya)
    page = client.get("/me/").content.decode()
    assert '<option value="" selected>As the server (UTC)</option>' in page
    assert '<optgroup label="Europe">' in page and '<option value="Europe/Berlin">Berlin</option>' in page
    assert "Argentina: Buenos Aires" in page and "US/Pacific" not in page
    client.post("/me/", {"save": "1", "time_zone": "US/Pacific"})
    assert '<option value="US/Pacific" selected>' in client.get("/me/").content.decode(), "an older name is kept"


def test_the_theme_switch_works_for_strangers_and_people(maya):
    client = Client()
    answer = post(client, "/me/theme/", {"theme": "dark", "next": "https://example.org/"})
    assert (answer["Location"], answer.cookies["relman_theme"].value) == ("/", "dark")
    client.force_login(maya)
    post(client, "/me/theme/", {"theme": "light"})
    maya.refresh_from_db()
    assert maya.theme == "light"


def test_a_token_is_shown_once_and_can_be_revoked(maya):
    client = Client()
    client.force_login(maya)
    page = client.post("/me/", {"token": "1", "token_name": "My laptop"}).content.decode()
    token = Token.objects.get(owner=maya)
    assert f"rlm_{token.prefix}_" in page
    assert f"rlm_{token.prefix}_" not in client.get("/me/").content.decode()
    assert client.post("/me/", {"revoke": str(token.pk)}).status_code == 302
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_nobody_revokes_a_token_of_somebody_else(maya):
    other = User.objects.create_user("other", password="x")
    client = Client()
    client.force_login(other)
    client.post("/me/", {"token": "1", "token_name": "Mine"})
    client.force_login(maya)
    assert client.post("/me/", {"revoke": str(Token.objects.get(owner=other).pk)}).status_code == 404
    assert client.post("/me/", {"revoke": "x"}).status_code == 404


@pytest.fixture
def three(monkeypatch):
    """Three tries."""
    monkeypatch.setattr(throttle, "PERSON", throttle.Limit(3, 300))
    return throttle.PERSON


def test_a_wrong_password_says_how_many_tries_are_left_known_or_not(maya, three):
    for name in ("maya", "nobody-at-all"):
        client = Client()
        said = [signin(client, name, "wrong").content.decode() for _ in range(4)]
        assert f"{WRONG} 2 tries left." in said[0]
        assert f"{WRONG} 1 try left." in said[-3]
        assert "That was the last try for now." in said[-2]
        assert re.search(r"Try again in \d+ (minutes?|seconds?), at \d\d:\d\d:\d\d UTC", said[-1])


def test_the_way_in_opens_again_when_it_was_said(maya, three, monkeypatch):
    client = Client()
    for _ in range(three.failures):
        signin(client, "maya", "wrong")
    moment = clock.now()
    with pytest.raises(TooMany) as refused:
        check("password 127.0.0.1 maya", three)
    wait = refused.value.extra["retry_after"]
    assert 0 < wait <= three.seconds
    monkeypatch.setattr(clock, "now", lambda: moment + timedelta(seconds=wait + 2))
    assert signin(client).status_code == 302


def test_a_form_without_its_key_is_refused(maya):
    client = Client(enforce_csrf_checks=True)
    client.force_login(maya)
    for path in ("/me/", "/signout/", "/me/theme/"):
        assert client.post(path, {}).status_code == 403


def test_who_is_signed_out_in_the_middle_of_a_form_sends_it_after_signing_in(maya):
    client, typed = Client(), {"token_name": "build & deploy", "ends": "30", "token": "", "rights": ["view", "promote"]}
    door = client.post("/me/?x=1", urlencode(typed, doseq=True), content_type="application/x-www-form-urlencoded")
    assert door.status_code == 401 and "no-store" in door["Cache-Control"]
    assert "nothing was sent" in door.content.decode()
    kept = {"next": "/me/?x=1", "typed": hidden(door)["typed"]}
    wrong = signin(client, password="wrong", **kept)
    assert hidden(wrong)["typed"] == kept["typed"], "a wrong password loses nothing"
    asked = signin(client, **kept)
    assert asked.status_code == 200 and "Nothing was sent yet" in asked.content.decode()
    assert (
        "for <b>/me/?x=1</b>" in asked.content.decode()
        and 'action="/me/?x=1"' in asked.content.decode()
        and hidden(asked)["token_name"] == "build & deploy"
    )
    assert not Token.objects.exists()


def hidden(answer):
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', answer.content.decode())
    return {name: unescape(value) for name, value in found}


def test_a_sign_in_in_another_window_loses_nothing_and_no_other_site_uses_that(maya):
    client = Client(enforce_csrf_checks=True)
    client.force_login(maya)

    def send(origin):
        kind = "application/x-www-form-urlencoded"
        return client.post("/me/", "time_zone=Asia%2FTokyo", content_type=kind, headers={"Origin": origin})

    late = send("http://testserver")
    assert late.status_code == 403 and hidden(late)["time_zone"] == "Asia/Tokyo"
    assert "time_zone" not in send("http://example.org").content.decode()
    assert "correct" not in signin(client, next="/me/").content.decode(), "no password comes back"
    maya.refresh_from_db()
    assert maya.time_zone == ""


def test_browsers_find_the_icon_where_they_look_for_it(db):
    answer = Client().get("/favicon.ico", follow=True)
    assert answer.redirect_chain[0][1] == 302
    assert answer.status_code == 200 and answer["Content-Type"] == "image/svg+xml"
