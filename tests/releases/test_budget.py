"""The query budget: a page costs the same number of queries for few rows and for many."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from phases import actions as places
from phases.models import Phase
from releases import actions, queries
from releases.models import Promotion
from releases.queries.application_configuration import application_configuration_page
from releases.queries.application_settings import application_settings_page
from releases.queries.environment_tabs import environment_promotions
from releases.queries.places import reached
from relman.actors import Actor
from tests import factories

READERS = ("release-manager", "business-owner", "stakeholder", "admin")
BOARD = 12
"""In the whole request: session, user, rights and all."""


@pytest.fixture
def busy(shop):
    """One waits for approvals, one is ready, one failed, one requires a key."""
    release = shop.release(manifest={"configuration": {"required": ["A"]}})
    for environment in shop.environments.values():
        places.set_configuration(environment, {"A": "1"}, actor=shop.actor("devops"))
    shop.bring(release, "dev", "qa", "stage")
    shop.ask(release, "live")
    shop.bring(shop.release("1.1.0"), "dev")
    promotion = shop.ask(shop.release("1.2.0"), "dev")
    actions.cancel(promotion, actor=shop.actor("developer"))
    return shop


def more(shop, number):
    """Further applications of the same pipeline, each with a release in Dev and one waiting for QA's approval."""
    for index in range(number):
        one = places.create_application(
            shop.pipeline, actor=shop.actor("admin"), name=f"More {index}", slug=f"m{index}"
        )
        extra = factories.Shop(shop.pipeline, one, shop.people)
        for phase in Phase.objects.filter(pipeline=shop.pipeline):
            extra.environments[phase.slug] = factories.environment(extra, phase, factories.SCRIPT)
        release = extra.release()
        extra.bring(release, "dev", "qa", "stage")
        extra.ask(release, "live")


def count(ask):
    ask()
    with CaptureQueriesContext(connection) as captured:
        ask()
    return len(captured)


def test_the_board_costs_the_same_for_one_and_for_many(busy):
    few = {role: whole_request(busy, role) for role in READERS}
    more(busy, 4)
    assert {role: whole_request(busy, role) for role in READERS} == few
    assert max(few.values()) <= BOARD


def whole_request(shop, role):
    """The queries of one request for the board by somebody who is signed in."""
    client = Client()
    client.force_login(shop.actor(role).user)
    assert client.get("/board/").status_code == 200
    return count(lambda: client.get("/board/"))


def test_two_queries_for_the_tiles(busy):
    from releases.queries.places import places as read

    more(busy, 1)
    with CaptureQueriesContext(connection) as captured:
        from phases.models import Environment

        assert len(read(Environment.objects.all())) == 8
    assert len(captured) == 2


def test_what_a_release_has_reached_costs_the_same_however_often_it_went_there(shop):
    release, other = shop.release(), shop.release("1.1.0")
    shop.bring(release, "dev", "qa")
    shop.bring(other, "dev")
    for _ in range(3):
        shop.bring(release, "qa")
    shop.ask(release, "stage")
    with CaptureQueriesContext(connection) as captured:
        found = reached([release.pk, other.pk])
    assert found == {release.pk: {shop.phase("dev").pk, shop.phase("qa").pk}, other.pk: {shop.phase("dev").pk}}
    (query,) = captured
    with connection.cursor() as cursor:
        cursor.execute(query["sql"])
        assert len(cursor.fetchall()) == 2 * 4, "a row for each environment, not for each success"


PAGES = {
    "applications": lambda shop, actor: queries.applications_page(actor),
    "application": lambda shop, actor: queries.application_page(actor, shop.application),
    "releases": lambda shop, actor: queries.releases_page(actor, shop.application),
    "values": lambda shop, actor: application_configuration_page(actor, shop.application),
    "settings": lambda shop, actor: application_settings_page(actor, shop.application),
    "approvals": lambda shop, actor: queries.approvals_page(actor, "you"),
    "pipeline": lambda shop, actor: queries.pipeline_page(actor, shop.pipeline),
    "phase": lambda shop, actor: queries.phase_page(actor, shop.phase("qa")),
    "environment": lambda shop, actor: queries.environment_page(actor, shop.environments["dev"]),
    "promotions": lambda shop, actor: environment_promotions(actor, shop.environments["dev"]),
    "audit": lambda shop, actor: queries.audit_page(actor, {}),
    "shell": lambda shop, actor: queries.shell(actor),
    "search": lambda shop, actor: queries.search(actor, "m"),
}


def test_pages_cost_the_same_for_few_and_for_many(busy):
    def ask(name):
        return count(lambda: PAGES[name](busy, Actor(busy.people["release-manager"], "page")))

    few = {name: ask(name) for name in PAGES}
    more(busy, 3)
    for version in ("1.3.0", "1.4.0", "1.5.0"):
        busy.bring(busy.release(version), "dev")
    many = {name: ask(name) for name in PAGES}
    assert {name: (few[name], many[name]) for name in PAGES if many[name] > few[name]} == {}
    assert Promotion.objects.count() > 10
