"""The board's parts: its export, and what waits for the reader."""

import csv
import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from phases import actions as places
from releases import queries
from relman.actors import Actor


def exported(world, who, query=""):
    answer = world.browser(who).get(f"/board/export/{query}")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="relman-board.csv"'
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def test_the_export_has_a_line_for_each_application_in_each_phase(world):
    rows = exported(world, "release-manager")
    assert [(row["slug"], row["phase"]) for row in rows] == [("shop", one) for one in ("Dev", "QA", "Stage", "Live")]
    assert [row["version"] for row in rows] == ["1.1.0", "1.1.0", "1.1.0", "1.0.0"]
    assert rows[3]["pending"] == "1.1.0 in approval"
    assert rows[0]["since"].startswith("20") and "T" in rows[0]["since"]
    assert {row["state"] for row in rows} == {"person"}


def test_the_export_shows_what_the_filters_show_and_what_the_reader_may_see(world):
    assert exported(world, "release-manager", "?q=nothing") == []
    assert exported(world, "release-manager", "?state=blocked") == []
    assert {row["phase"] for row in exported(world, "stakeholder", "?q=SHOP&state=person")} == {"QA", "Stage", "Live"}
    assert exported(world, "outsider") == []


def test_no_cell_of_the_export_is_a_formula(world):
    places.edit_application(world.shop.application, actor=world.shop.actor("admin"), name="=1+1")
    assert exported(world, "release-manager")[0]["application"] == "'=1+1"


@pytest.mark.parametrize("who", ["business-owner", "qa-engineer", "developer", "release-manager", "outsider", "admin"])
def test_what_waits_is_the_same_alone_and_on_the_board(world, who):
    whole = queries.board(Actor(world.user(who), "page")).waiting
    assert queries.waiting(Actor(world.user(who), "page")) == whole
    assert bool(whole) == (who in ("business-owner", "qa-engineer"))


def test_whoever_can_decide_nothing_costs_next_to_nothing(world):
    reader = Actor(world.user("stakeholder"), "page")
    queries.waiting(reader)
    with CaptureQueriesContext(connection) as captured:
        assert queries.waiting(reader) == []
    assert len(captured) == 0
