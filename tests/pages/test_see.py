"""Every page: for whom it is there."""

import re
from contextlib import closing
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone

from phases import actions as places
from phases.drivers.scripted import ScriptedDriver
from releases.queries import environment_tabs
from releases.queries.audit import OBJECTS
from releases.queries.history import LOOKS, phase_names, sentence
from relman.audit import chain
from relman.audit.models import Event

PAGES = {
    "board": "/board/",
    "row": "/board/row/shop/",
    "waiting": "/board/waiting/",
    "approvals": "/approvals/",
    "others": "/approvals/?tab=others",
    "decided": "/approvals/?tab=decided",
    "count": "/approvals/count/",
    "choose": "/releases/new/",
    "applications": "/apps/",
    "application": "/apps/shop/",
    "releases": "/apps/shop/releases/",
    "compare": "/apps/shop/releases/compare/1.0.0...1.1.0/",
    "release": "/apps/shop/releases/1.1.0/",
    "environment": "/apps/shop/live/",
    "configuration": "/apps/shop/live/configuration/",
    "environment promotions": "/apps/shop/live/?tab=promotions",
    "environment log": "/apps/shop/live/?tab=log",
    "promotion": "/promotions/{live}/",
    "progress": "/promotions/{live}/progress/",
    "log": "/promotions/{live}/log/?step=0&after=0",
    "file": "/promotions/{live}/log.txt",
    "waits": "/promotions/{waiting}/",
    "approve": "/approvals/{waiting}/",
    "confirm": "/approvals/{waiting}/confirm/",
    "pipeline": "/pipelines/shop/",
    "phase": "/pipelines/shop/live/",
    "audit": "/audit/",
    "export": "/audit/export/",
    "search": "/search/?q=shop",
    "me": "/me/",
    "help": "/help/",
    "more": "/more/",
}


def address(world, name):
    return PAGES[name].format(**{key: one.pk for key, one in world.promotions.items()})


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("role", ["business-owner", "admin"])
def test_whoever_may_see_it_sees_it(world, name, role):
    answer = world.browser(role).get(address(world, name))
    assert answer.status_code == 200


OWN = ("board", "waiting", "approvals", "others", "decided", "count", "choose", "applications", "audit", "export",
       "search", "me", "help", "more")  # fmt: skip
"""Pages that are there for everybody, and show each what they may see."""


@pytest.mark.parametrize("name", PAGES)
def test_an_outsider_cannot_tell_it_from_nothing(world, name):
    browser = world.browser("outsider")
    answer = browser.get(address(world, name))
    assert answer.status_code == (200 if name in OWN else 404)
    told = answer.content.decode()
    assert "1.1.0" not in told.replace(address(world, name), "") or answer.status_code == 404
    assert 'href="/promotions/' not in told
    assert "Shop Developer" not in told


@pytest.mark.parametrize("name", PAGES)
def test_a_stranger_is_sent_to_the_sign_in(world, name):
    answer = world.browser("anonymous").get(address(world, name))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/signin/?next=")


def test_people_who_only_decide_land_on_approvals(world):
    assert world.browser("business-owner").get("/")["Location"] == "/approvals/"
    assert world.browser("release-manager").get("/")["Location"] == "/board/"
    assert world.browser("outsider").get("/")["Location"] == "/board/"


@pytest.mark.parametrize("name", ["row", "progress", "log"])
def test_a_fragment_that_has_not_changed_is_not_sent_again(world, name):
    browser = world.browser("developer")
    first = browser.get(address(world, name), headers={"hx-request": "true"})
    again = browser.get(address(world, name), headers={"hx-request": "true", "if-none-match": first["ETag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


def test_a_fragment_carries_the_id_that_the_page_swaps(world):
    browser = world.browser("developer")
    for name, found in {"row": 'id="row-shop"', "waiting": 'id="board-waiting"', "progress": 'id="promotion-body"',
                        "count": 'id="count-approvals"'}.items():  # fmt: skip
        assert found in browser.get(address(world, name)).content.decode()


def test_what_stands_around_every_page_is_told_how_the_phases_are_now(world):
    browser = world.browser("release-manager")
    around, told = browser.get("/me/").content.decode(), browser.get(address(world, "count")).content.decode()
    assert 'id="dot-shop-live"' in around
    dots = {part.partition('"')[0]: part for part in told.split('<i class="inline" id="')[1:]}
    assert "1 waiting promotion" in dots["dot-shop-live"]
    assert all("data-oob" in part.partition(">")[0] for part in dots.values())
    world.browser("release-manager").post(f"/promotions/{world.promotions['waiting'].pk}/cancel/", {"comment": "No"})
    assert "waiting" not in browser.get(address(world, "count")).content.decode()


def test_a_refusal_in_the_record_names_the_phase_that_was_asked_for(world):
    world.browser("release-manager").post("/apps/shop/live/promote/", {"version": "1.2.0"})
    entry = Event.objects.filter(outcome="refused", verb="promotion.requested").latest("id")
    assert "has not succeeded in" in entry.detail and "Live" not in entry.detail
    assert sentence(entry, phase_names([entry])).endswith("**Shop 1.2.0** to **Live**")


@pytest.mark.parametrize(
    "path",
    ["/apps/nothing/", "/apps/shop/nowhere/", "/apps/shop/releases/9.9.9/", "/promotions/987654/",
     "/promotions/99999999999999999999999/", "/pipelines/nothing/",
     "/apps/shop/live/promote/?version=9.9.9", "/board/row/nothing/"],
)  # fmt: skip
def test_what_is_not_there_is_a_page_that_says_so(world, path):
    answer = world.browser("release-manager").get(path)
    assert answer.status_code == 404
    assert "Nothing here" in answer.content.decode()


def test_whoever_may_not_is_told_whom_to_ask(world):
    answer = world.browser("developer").get("/apps/shop/live/promote/")
    assert answer.status_code == 403
    assert "Ask Shop Release Manager" in answer.content.decode()


def test_pages_are_not_kept_by_anybody_between(world):
    assert "private" in world.browser("developer").get("/board/")["Cache-Control"]


def test_the_record_is_shown_and_exported_for_a_range_of_days(world):
    browser, day = world.browser("admin"), timedelta(days=1)
    first, last = (timezone.localdate(getattr(Event.objects, end)("id").at) for end in ("earliest", "latest"))
    for query, there in {
        f"since={first}&until={last}": True,
        f"since={first - day}T00:00&until={last + day}T00:00": True,
        f"since={last + day}": False,
        f"until={first - day}": False,
    }.items():
        shown = browser.get(f"/audit/?{query}").content.decode()
        lines = browser.get(f"/audit/export/?{query}&format=json").json()
        table = browser.get(f"/audit/export/?{query}").content.decode().splitlines()
        assert ("No entry matches" not in shown, bool(lines), len(table) > 1) == (there, there, there), query
    assert {"at", "actor", "text", "digest"} <= set(browser.get("/audit/export/?format=json").json()[0])


def test_days_are_those_of_the_reader(world):
    user = world.user("admin")
    event = Event.objects.latest("id")
    far = "Pacific/Kiritimati"  # fourteen hours ahead
    type(user).objects.filter(pk=user.pk).update(time_zone=far)
    there = event.at.astimezone(ZoneInfo(far)).date()
    browser = world.browser("admin")
    rows = browser.get(f"/audit/?since={there}&until={there}").content.decode()
    assert f'id="e{event.pk}"' in rows
    assert f'id="e{event.pk}"' not in browser.get(f"/audit/?until={there - timedelta(days=1)}").content.decode()


@pytest.mark.parametrize(
    "query,said",
    [("since=soon", "“soon” is no day"), ("until=9999-12-31", "is no day"), ("since=0001-01-01", "is no day"),
     ("since=2026-06-17&until=2026-06-10", "ends before it begins")],
)  # fmt: skip
def test_a_range_that_cannot_be_meant_is_said(world, query, said):
    answer = world.browser("admin").get(f"/audit/?{query}")
    assert answer.status_code == 200 and said in answer.content.decode()


def test_every_verb_of_the_record_can_be_asked_for():
    assert {verb.partition(".")[0] for verb in LOOKS} <= set(OBJECTS)


@pytest.mark.parametrize("query", ["state=odd&page=x", "page=99999999", "q=%00&team=%00", "q=" + "x" * 5000])
def test_odd_filters_are_no_failures(world, query):
    browser = world.browser("developer")
    for path in ("/board/", "/apps/shop/releases/", "/audit/", "/search/"):
        assert browser.get(f"{path}?{query}").status_code == (400 if "%00" in query else 200)


def test_the_export_cannot_start_a_formula(world):
    from relman.audit import record

    record(
        "release.yanked",
        actor=world.shop.actor("admin"),
        subject="=1+1",
        detail="+cmd",
        application=world.shop.application,
    )
    lines = world.browser("admin").get("/audit/export/").content.decode()
    assert "'=1+1" in lines and "'+cmd" in lines and ",=1+1" not in lines


def test_the_chain_is_checked_on_the_page(world):
    answer = world.browser("devops").post("/audit/")
    assert "The chain holds." in answer.content.decode()


def test_only_who_may_make_applications_is_offered_it(world):
    assert "/apps/new/" not in world.browser("devops").get("/pipelines/shop/").content.decode()
    assert "/apps/new/" in world.browser("admin").get("/pipelines/shop/").content.decode()


def test_the_chain_is_verified_for_one_at_a_time(world):
    """Of a long record that takes minutes of a web process: whoever presses the button twice waits."""
    browser, other = world.browser("stakeholder"), connection.copy()
    with closing(other), other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [chain.READING])
        busy = browser.post("/audit/")
        cursor.execute("SELECT pg_advisory_unlock(%s)", [chain.READING])
    assert busy.status_code == 409 and "verifying the chain at this moment" in busy.content.decode()
    assert "The chain holds." in browser.post("/audit/").content.decode()


def test_a_promotion_that_only_waits_for_its_time_is_not_amber(world):
    later = timezone.now() + timedelta(days=1)
    number = world.shop.ask(world.releases["1.2.0"], "dev", not_before=later).pk
    page = world.browser("developer").get(f"/promotions/{number}/").content.decode()
    assert '<li class="todo">' in page and '<li class="wait">' not in page
    waiting = world.browser("developer").get(f"/promotions/{world.promotions['waiting'].pk}/").content.decode()
    assert '<li class="wait">' in waiting and '<li class="todo">' not in waiting


def test_the_record_says_nothing_twice(world):
    page = world.browser("admin").get("/audit/", {"verb": "release"}).content.decode()
    assert "Published <b>1.2.0</b>" in page and "Published Shop 1.2.0." not in page
    world.shop.ask(world.releases["1.2.0"], "dev")
    places.lock(world.shop.environments["qa"], actor=world.shop.actor("devops"), reason="The queue moves.")
    assert "The queue moves." in world.browser("admin").get("/audit/").content.decode()
    assert "Clear filters" in world.browser("admin").get("/audit/", {"q": "nothing-like-it"}).content.decode()
    nothing = world.browser("outsider").get("/audit/").content.decode()
    assert "Nothing is on record yet" in nothing and "Clear filters" not in nothing


MARKED = '<span class="ctl" title="right-to-left override">U+202E</span>'


def test_a_name_that_turns_text_is_shown_and_not_obeyed(world):
    name = "Shop\u202epohS"
    type(world.shop.application).objects.filter(pk=world.shop.application.pk).update(name=name)
    for path in ("/board/", "/apps/shop/", "/board/row/shop/"):
        page = world.browser("admin").get(path).content.decode()
        assert f"Shop{MARKED}pohS" in page, path
    form = world.browser("admin").get("/apps/shop/edit/").content.decode()
    assert f'value="{name}"' in form, "what was typed is edited as it was typed"


def test_all_that_was_promoted_into_an_environment_is_a_page_at_a_time(world, monkeypatch):
    monkeypatch.setattr(environment_tabs, "ROWS", 1)
    live, waiting = world.promotions["live"], world.promotions["waiting"]
    browser, page = world.browser("developer"), "/apps/shop/live/?tab=promotions"
    first, second = (browser.get(f"{page}&page={number}").content.decode() for number in (1, 2))
    assert f"/promotions/{waiting.pk}/" in first and f"/promotions/{live.pk}/" not in first
    assert f"/promotions/{live.pk}/" in second and "Showing 2 to 2 of 2 promotions" in second
    assert 'Promotions <span class="n">2</span>' in browser.get("/apps/shop/live/").content.decode()


def test_what_the_instances_wrote_has_a_page_and_its_secrets_are_masked(world, monkeypatch):
    shop, page = world.shop, "/apps/shop/live/?tab=log"
    secret = {"KEY": {"value": "hush-hush-hush", "secret": True}}
    places.set_configuration(shop.environments["live"], secret, actor=shop.actor("devops"))
    browser = world.browser("developer")
    monkeypatch.setattr(ScriptedDriver, "log", lambda self, target, wanted: ["a hush-hush-hush b"] * min(wanted, 40))
    text = browser.get(page).content.decode()
    assert text.count("<span>a ") == 40 and "hush-hush" not in text
    assert browser.get("/apps/shop/live/").content.decode().count("<span>a ") == 12
    monkeypatch.setattr(ScriptedDriver, "log", lambda *_: [])
    assert "Nothing was written yet" in browser.get(page).content.decode()


def test_components_stand_beside_those_of_the_phase_before(world):
    shop, devops = world.shop, world.shop.actor("devops")
    for phase, name, size in (
        ("stage", "cache", "4 GB"), ("live", "cache", "26 GB"), ("stage", "main", "2 cores"),
        ("live", "main", "2 cores"), ("live", "queue", ""),
    ):  # fmt: skip
        places.add_component(shop.environments[phase], actor=devops, kind="server", name=name, size=size)
    text = world.browser("developer").get("/apps/shop/live/").content.decode()
    rows = dict(re.findall(r'<th scope="row">(\w+).*?data-label="In Stage" class="muted">([^<]*)<', text))
    assert rows == {"cache": "4 GB", "main": "Same", "queue": "None there"}
    shown = world.browser("developer").get("/apps/shop/dev/").content.decode()
    assert 'data-label="In ' not in shown, "nothing comes before the first phase"
