"""Pipelines, applications, environments, values and oneself, over the API."""

from __future__ import annotations

from datetime import timedelta

import pytest

from phases.models import Application, Environment, Pipeline, Token, Variable
from releases.models import IdempotencyKey
from relman import clock
from relman.audit.models import Event
from tests import factories
from tests.client import Api, good, refused


@pytest.fixture
def shop(db):
    return factories.shop()


def as_(shop, role, **scope):
    return Api(shop.actor(role).user, **scope)


PIPELINE = {"slug": "payments", "name": "Payments", "template": "dev-qa-stage-live"}


def test_a_token_for_one_application_changes_nothing_that_concerns_all(shop):
    narrow = as_(shop, "devops", applications=[shop.application])
    refused(narrow.patch("pipelines/shop/phases/live/", {"public": True}), 403)
    refused(narrow.patch("pipelines/shop/", {"description": "Mine"}), 403)
    refused(narrow.post("pipelines/shop/phases/live/lock/", {"reason": "Audit"}), 403)
    good(narrow.post("environments/shop/live/lock/", {"reason": "Audit"}), 201)
    assert good(narrow.get("pipelines/shop/phases/live/"))["name"] == "Live"
    good(as_(shop, "devops").patch("pipelines/shop/phases/live/", {"public": True}))


def test_a_lock_over_the_api_may_end_by_itself(shop):
    devops = as_(shop, "devops")
    refused(devops.post("environments/shop/live/lock/", {"reason": "Audit", "until": "2020-01-01T00:00:00Z"}), 400)
    made = good(devops.post("environments/shop/live/lock/", {"reason": "Audit", "until": "2099-01-01T00:00:00Z"}), 201)
    assert made["until"].startswith("2099-01-01T00:00:00")
    endless = {"reason": "Audit", "until": None}
    assert good(devops.post("pipelines/shop/phases/live/lock/", endless), 201)["until"] is None


def test_an_administrator_makes_a_whole_way(shop):
    admin = as_(shop, "admin")
    made = good(admin.post("pipelines/", PIPELINE), 201)
    assert [phase["slug"] for phase in made["phases"]] == ["dev", "qa", "stage", "live"]
    assert good(admin.get("pipelines/payments/")) == made
    own = {"slug": "short", "phases": [{"slug": "test"}, {"slug": "prod", "name": "Production", "public": True}]}
    assert [p["name"] for p in good(admin.post("pipelines/", own), 201)["phases"]] == ["test", "Production"]
    application = good(admin.post("applications/", {"slug": "cashier", "pipeline": "payments"}), 201)
    assert application["name"] == "cashier"
    assert good(admin.get("applications/cashier/"))["pipeline"] == "payments"
    assert [row["slug"] for row in good(admin.get("applications/?pipeline=payments"))["results"]] == ["cashier"]


@pytest.mark.parametrize(
    ("place", "body", "status"),
    [
        ("pipelines/", {**PIPELINE, "slug": "Not A Slug"}, 400),
        ("pipelines/", {**PIPELINE, "slug": "admin"}, 400),
        ("pipelines/", {**PIPELINE, "template": "none-such"}, 400),
        ("pipelines/", {"slug": "payments"}, 400),
        ("pipelines/", {**PIPELINE, "phases": [{"slug": "x"}]}, 400),
        ("pipelines/", {**PIPELINE, "owner": "me"}, 400),
        ("pipelines/", {"slug": "p", "phases": [{"slug": "x", "position": 3}]}, 400),
        ("pipelines/", {"slug": "p", "phases": [{"slug": "x"}, {"slug": "x"}]}, 400),
        ("pipelines/", {**PIPELINE, "slug": "shop"}, 409),
        ("applications/", {"slug": "shop", "pipeline": "shop"}, 409),
        ("applications/", {"slug": "other", "pipeline": "moon"}, 404),
        ("applications/", {"slug": "other"}, 400),
        ("environments/", {"application": "shop", "phase": "dev"}, 403),
        ("environments/", {"application": "shop", "phase": "moon"}, 404),
    ],
)
def test_what_cannot_be_made_is_refused(shop, place, body, status):
    refused(as_(shop, "admin").post(place, body), status)
    assert (Pipeline.objects.count(), Application.objects.count(), Environment.objects.count()) == (1, 1, 4)


def test_only_administrators_make_pipelines_and_applications(shop):
    for place, body in (("pipelines/", PIPELINE), ("applications/", {"slug": "second", "pipeline": "shop"})):
        problem = refused(as_(shop, "devops").post(place, body), 403)
        assert problem["roles"] == ["Administrator"]
    assert Event.objects.filter(outcome="refused").count() == 2


def test_a_pipeline_and_an_application_are_changed_by_what_is_named(shop):
    devops = as_(shop, "devops")
    before = good(devops.get("pipelines/shop/"))
    changed = good(devops.patch("pipelines/shop/", {"description": "All of it", "prereleases_until": "qa"}))
    assert changed == {**before, "description": "All of it", "prereleases_until": "qa"}
    assert good(devops.patch("pipelines/shop/", {"prereleases_until": None}))["prereleases_until"] is None
    assert good(devops.patch("pipelines/shop/", {})) == {**before, "description": "All of it"}
    words = {"repository": "https://git.example.org/shop", "ticket_url": "https://tickets.example.org/{ticket}"}
    one = good(devops.patch("applications/shop/", words))
    assert {name: one[name] for name in ("name", *words)} == {"name": "Shop", **words}
    owned = good(devops.patch("applications/shop/", {"owner": "shop-developer"}))
    assert owned["owner"]["username"] == "shop-developer"
    said = refused(devops.patch("applications/shop/", {"owner": "admin"}), 400)["detail"]
    assert said == refused(devops.patch("applications/shop/", {"owner": "nobody"}), 400)["detail"].replace(
        "nobody", "admin"
    )
    refused(as_(shop, "developer").patch("applications/shop/", {"owner": "nobody"}), 403)
    verbs = Event.objects.filter(outcome="done", verb__in=("pipeline.edited", "application.edited"))
    assert {event.actor_name for event in verbs} == {"Shop Devops"}
    assert [event.verb for event in verbs.order_by("pk")] == 2 * ["pipeline.edited"] + 2 * ["application.edited"]


def test_an_environment_is_sized_by_those_who_may(shop):
    place, devops = "environments/shop/dev/", as_(shop, "devops")
    changed = good(devops.patch(place, {"instances": 3, "memory": 512, "cpu": "0.50"}))
    assert (changed["instances"], changed["memory"], changed["cpu"]) == (3, 512, "0.50")
    assert good(devops.get(place)) == changed
    refused(as_(shop, "developer").patch(place, {"instances": 1}), 403)
    refused(as_(shop, "stakeholder").patch(place, {"instances": 1}), 404)
    event = Event.objects.get(verb="environment.edited", outcome="done")
    assert event.after and event.after["instances"] == 3
    assert (event.actor_name, event.phase) == ("Shop Devops", "dev")
    assert Event.objects.filter(outcome="refused", verb="environment.edited").count() == 1
    environment = Environment.objects.get(application__slug="shop", phase__slug="dev")
    assert environment.instances == 3


@pytest.mark.parametrize(
    ("place", "body", "status"),
    [
        ("pipelines/shop/", {"slug": "moved"}, 400),
        ("pipelines/shop/", {"name": ""}, 400),
        ("pipelines/shop/", {"name": "x" * 101}, 400),
        ("pipelines/shop/", {"prereleases_until": "moon"}, 404),
        ("pipelines/moon/", {"name": "X"}, 404),
        ("applications/shop/", {"pipeline": "other"}, 400),
        ("applications/shop/", {"repository": "javascript:alert(1)"}, 400),
        ("applications/shop/", {"ticket_url": "javascript:alert('{ticket}')"}, 400),
        ("environments/shop/dev/", {"driver": "local"}, 400),
        ("environments/shop/dev/", {"instances": 0}, 400),
        ("environments/shop/dev/", {"settings": {"verify": {"within": 86400}}}, 400),
        ("environments/shop/dev/", {"memory": None}, 400),
        ("environments/shop/moon/", {"instances": 1}, 404),
    ],
)
def test_what_cannot_be_changed_is_refused(shop, place, body, status):
    refused(as_(shop, "devops").patch(place, body), status)
    assert not Event.objects.filter(outcome="done", verb__endswith=".edited").exists()


def test_devops_make_environments(shop, django_capture_on_commit_callbacks):
    good(as_(shop, "admin").post("applications/", {"slug": "second", "pipeline": "shop"}), 201)
    wish = {"application": "second", "phase": "dev", "driver": "scripted", "instances": 2}
    refused(as_(shop, "developer").post("environments/", wish), 403)
    refused(as_(shop, "devops").post("environments/", {**wish, "driver": "magic"}), 400)
    refused(as_(shop, "devops").post("environments/", {**wish, "instances": 99}), 400)
    refused(as_(shop, "devops").post("environments/", {**wish, "epoch": 3}), 400)
    with django_capture_on_commit_callbacks(execute=True):
        made = good(as_(shop, "devops").post("environments/", wish), 201)
    assert (made["host"], made["instances"]) == ("second.dev.localhost", 2)
    assert Environment.objects.get(application__slug="second").checked_at
    refused(as_(shop, "devops").post("environments/", wish), 409)
    assert good(as_(shop, "devops").post("environments/second/dev/check/"))["ready"] is True
    listed = good(as_(shop, "devops").get("environments/?application=second"))
    assert [row["phase"] for row in listed["results"]] == ["dev"]


def test_values_go_in_and_secrets_never_out(shop):
    place, devops = "environments/shop/dev/configuration/", as_(shop, "devops")
    values = {"GREETING": "Hello", "API_KEY": {"secret": "s3cr3t-value"}}
    answer = devops.put(place, {"values": values})
    shown = {one["key"]: (one["value"], one["secret"]) for one in good(answer)["values"]}
    assert shown == {"GREETING": ("Hello", False), "API_KEY": (None, True)}
    for role in ("developer", "devops", "admin"):
        assert b"s3cr3t" not in as_(shop, role).get(place).content
    good(devops.put(place, {"values": {"GREETING": None}}))
    good(devops.put(place, {"values": good(devops.get(place))["values"]}))
    assert [one["key"] for one in good(devops.get(place))["values"]] == ["API_KEY"]
    assert "s3cr3t" not in str(list(Event.objects.values()))
    assert Variable.objects.get().value == ""


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"values": "x"},
        {"values": {"1 bad": "x"}},
        {"values": {"PORT": "1"}},
        {"values": {"A": 5}},
        {"values": {"A": {"secret": "x", "plain": "y"}}},
        {"values": {"A": "x"}, "more": 1},
        {"values": [{"value": "x"}]},
        {"values": {"A": "x\x00y"}},
    ],
)
def test_malformed_values_are_400_and_nothing_is_saved(shop, body):
    refused(as_(shop, "devops").put("environments/shop/dev/configuration/", body), 400)
    assert Variable.objects.count() == 0


def test_the_keys_alone_are_values_too(shop):
    place, devops = "environments/shop/dev/configuration/", as_(shop, "devops")
    answer = good(devops.put(place, {"GREETING": "Hello", "API_KEY": {"secret": "hush"}}))
    assert [(row["key"], row["value"], row["secret"]) for row in answer["values"]] == [
        ("API_KEY", None, True), ("GREETING", "Hello", False),
    ]  # fmt: skip
    good(devops.put(place, {"GREETING": None}))
    assert Variable.objects.get().key == "API_KEY"


def test_who_may_not_configure_may_read_only(shop):
    place = "environments/shop/qa/configuration/"
    good(as_(shop, "stakeholder").get(place))
    refused(as_(shop, "stakeholder").put(place, {"values": {"A": "b"}}), 403)
    refused(as_(shop, "stakeholder").get("environments/shop/dev/configuration/"), 404)
    assert Event.objects.filter(outcome="refused", verb__startswith="api-configuration").count() == 1


def test_me_says_who_and_what_where(shop):
    me = good(as_(shop, "stakeholder").get("me/"))
    assert me["username"] == "shop-stakeholder"
    assert {row["phase"]: row["rights"] for row in me["rights"]} == {
        "qa": ["open", "view"],
        "stage": ["open", "view"],
        "live": ["view"],
    }
    assert me["applications"] == ["shop"]
    assert me["token"]["name"] == "test"
    narrow = good(as_(shop, "release-manager", rights=["view"], phases=[shop.phase("qa")]).get("me/"))
    assert {row["phase"]: row["rights"] for row in narrow["rights"]} == {"qa": ["view"]}
    assert narrow["token"]["phases"] == ["shop/qa"]


def test_tokens_are_shown_once_and_never_wider_than_their_parent(shop):
    client = as_(shop, "developer", rights=["view", "promote"], expires_at=clock.now() + timedelta(days=1))
    made = good(client.post("me/tokens/", {"name": "CI", "rights": ["view"], "phases": ["shop/dev"]}), 201)
    assert made["token"] not in client.get("me/tokens/").content.decode()
    child = Api(raw=made["token"])
    assert {row["phase"]: row["rights"] for row in good(child.get("me/"))["rights"]} == {"dev": ["view"]}
    refused(child.post("me/tokens/", {"name": "wider", "rights": ["promote"]}), 403)
    late = (clock.now() + timedelta(days=9)).isoformat()
    refused(client.post("me/tokens/", {"name": "longer", "expires_at": late}), 403)
    refused(client.post("me/tokens/", {"name": "odd", "rights": ["fly"]}), 400)
    refused(client.post("me/tokens/", {"name": "odd", "applications": ["moon"]}), 404)
    assert Token.objects.count() == 2
    refused(child.delete(f"me/tokens/{Token.objects.exclude(name='CI').get().pk}/"), 404)
    assert client.delete(f"me/tokens/{made['id']}/").status_code == 204
    refused(child.get("me/"), 401)
    refused(client.delete(f"me/tokens/{made['id']}/"), 404)


def test_another_persons_token_does_not_exist(shop):
    other = as_(shop, "qa-engineer")
    theirs = Token.objects.get(owner=shop.people["qa-engineer"])
    known = refused(as_(shop, "developer").delete(f"me/tokens/{theirs.pk}/"), 404)
    unknown = refused(as_(shop, "developer").delete(f"me/tokens/{theirs.pk + 999}/"), 404)
    assert known == unknown, "nobody can tell whose numbers there are"
    theirs.refresh_from_db()
    assert theirs.revoked_at is None and good(other.get("me/"))["username"] == theirs.owner.username


def test_pages_of_a_list_follow_each_other(shop):
    admin = as_(shop, "admin")
    for number in range(5):
        good(admin.post("applications/", {"slug": f"app-{number}", "pipeline": "shop"}), 201)
    seen, path = [], "applications/?limit=2"
    while path:
        page = good(admin.get(path))
        seen += [row["slug"] for row in page["results"]]
        path = (page["next"] or "").removeprefix("http://testserver")
    assert seen == [*(f"app-{number}" for number in range(5)), "shop"]


def test_a_token_is_not_kept_with_its_key(shop):
    developer = as_(shop, "developer")
    made = good(developer.post("me/tokens/", {"name": "ci"}, key="once"), 201)
    again = good(developer.post("me/tokens/", {"name": "ci"}, key="once"), 201)
    assert made["token"] and again == {**made, "token": None}
    assert not IdempotencyKey.objects.filter(response__contains=made["token"]).exists()
