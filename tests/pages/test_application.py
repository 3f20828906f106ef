"""The tabs of an application: its configuration side by side, its settings, and where tickets lead."""

import pytest

from phases import actions as places
from phases import tickets
from phases.models import Application
from releases import queries
from releases.models import Change, Release
from releases.queries.application_configuration import application_configuration_page
from relman.errors import Invalid


def page_of(world, who="release-manager", **filters):
    return application_configuration_page(world.shop.actor(who), world.shop.application, **filters)


def rows_of(world, who="release-manager", **filters):
    return {row.key: [(one.state, one.value) for one in row.values] for row in page_of(world, who, **filters).rows}


def configure(world, phase, **values):
    places.set_configuration(world.shop.environments[phase], values, actor=world.shop.actor("devops"))


def test_keys_stand_beside_each_other_and_secrets_are_dots(world):
    configure(world, "dev", MODE="a", SAME="1", KEY={"value": "s3cr3t-word", "secret": True})
    configure(world, "live", MODE="b", SAME="1")
    rows = rows_of(world)
    assert rows["MODE"] == [("value", "a"), ("unset", ""), ("unset", ""), ("value", "b")]
    assert rows["KEY"][0] == ("secret", "")
    text = world.browser("stakeholder").get("/apps/shop/config/").content.decode()
    assert "s3cr3t-word" not in text and "MODE" in text


def test_a_key_that_a_release_requires_is_missing_until_it_is_set(world):
    Release.objects.filter(version="1.1.0").update(manifest={"configuration": {"required": ["URL"]}})
    configure(world, "dev", URL="x")
    found = page_of(world, show="missing")
    assert [row.key for row in found.rows] == ["URL"]
    assert [one.state for one in found.rows[0].values] == ["value", "missing", "missing", "missing"]
    assert found.rows[0].values[3].required_by == "1.1.0"
    assert "1.1.0 requires it" in world.browser("developer").get("/apps/shop/config/").content.decode()
    for phase in ("qa", "stage", "live"):
        configure(world, phase, URL="x")
    assert page_of(world, show="missing").rows == []
    assert "No key is missing" in world.browser("developer").get("/apps/shop/config/?show=missing").content.decode()


def test_filters_keep_what_differs_and_what_is_asked_for(world):
    for phase in ("dev", "qa", "stage", "live"):
        configure(world, phase, SAME="1", MODE=phase)
    assert list(rows_of(world, show="differ")) == ["MODE"]
    assert list(rows_of(world, q="sam")) == ["SAME"]
    assert page_of(world).counts == {"": 2, "differ": 1, "missing": 0}
    assert "No key matches “zzz”" in world.browser("developer").get("/apps/shop/config/?q=zzz").content.decode()


def test_only_phases_that_one_sees_are_shown(world):
    columns = [one.phase.slug for one in page_of(world, "stakeholder").columns]
    assert columns == ["qa", "stage", "live"]


@pytest.mark.parametrize(
    "wrong",
    ["javascript:alert('{ticket}')", "https://example.org/", "https://{ticket}.example.org/", "ftp://example.org/{ticket}",
     "https://example.org/{ticket}/{ticket}", "https://example.org/a b{ticket}", "https://user@example.org/{ticket}"],
)  # fmt: skip
def test_an_address_of_tickets_is_checked(world, wrong):
    with pytest.raises(Invalid):
        places.edit_application(world.shop.application, actor=world.shop.actor("devops"), ticket_url=wrong)
    assert Application.objects.get(slug="shop").ticket_url == ""


def test_tickets_lead_to_their_tracker_everywhere(world):
    shop = world.shop
    address = "https://tracker.example.org/browse/{ticket}"
    answer = world.browser("devops").post("/apps/shop/edit/", {"name": "Shop", "ticket_url": address})
    assert answer.status_code == 302 and Application.objects.get(slug="shop").ticket_url == address
    release = world.releases["1.1.0"]
    Change.objects.create(release=release, position=1, title="Faster", ticket='SHOP-1/"><b>')
    link = 'href="https://tracker.example.org/browse/SHOP-1%2F%22%3E%3Cb%3E"'
    number = world.promotions["waiting"].pk
    for path in ("/apps/shop/releases/1.1.0/", "/apps/shop/releases/compare/1.0.0...1.1.0/", f"/approvals/{number}/"):
        assert link in world.browser("release-manager").get(path).content.decode(), path
    places.edit_application(Application.objects.get(slug="shop"), actor=shop.actor("devops"), ticket_url="")
    found = queries.release_page(shop.actor("developer"), queries.get_release(shop.actor("developer"), "shop", "1.1.0"))
    assert [one.url for one in found.changes] == [""]


def test_a_ticket_stays_in_its_place():
    assert tickets.link("https://t.example/{ticket}?x=1", "../a?b#c") == "https://t.example/..%2Fa%3Fb%23c?x=1"
    assert tickets.link("javascript:{ticket}", "1") == "" and tickets.link("https://t.example/{ticket}", "") == ""
