"""What settings may be: judged without asking any target, each sentence names the key."""

from __future__ import annotations

import pytest

from phases.drivers import settings
from phases.drivers.registry import KINDS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("good", [{}, {"verify": False}, {"verify": {}}, {"verify": {"passes": 1, "interval": 0.5}}])
def test_what_every_driver_takes(kind, good):
    assert settings.wrong(kind, good) == {}


@pytest.mark.parametrize(
    ("verify", "said"),
    [
        (True, "or false, not True"),
        ([], "is a mapping"),
        (None, "is a mapping"),
        ({"passes": 1.5}, "“passes” of “verify” is a whole number from 1 to 100, not 1.5"),
        ({"passes": True}, "not True"),
        ({"interval": -1}, "“interval” of “verify” is a number from 0 to 60, not -1"),
        ({"within": float("nan")}, "not nan"),
        ({"within": "x" * 100}, "…"),
        ({"intervall": 1}, "“intervall” of “verify” is no setting here. Did you mean “interval”?"),
        ({"within": 601, "colour": 1}, "Known: interval, passes, within. “within” of “verify” is a number"),
    ],
)
def test_a_verification_that_cannot_be(verify, said):
    found = settings.wrong("local", {"verify": verify})
    assert list(found) == ["verify"] and said in found["verify"]


@pytest.mark.parametrize(
    ("kind", "given", "key"),
    [
        ("local", {"drain": "ten"}, "drain"),
        ("local", {"drain": 3601}, "drain"),
        ("local", {"migrate_timeout": 0}, "migrate_timeout"),
        ("local", {"steps": 3}, "steps"),
        ("scripted", {"steps": "many"}, "steps"),
        ("scripted", {"steps": -1}, "steps"),
        ("scripted", {"steps": 501}, "steps"),
        ("scripted", {"steps": ["noop"]}, "steps"),
        ("scripted", {"steps": [{"do": "dance"}]}, "steps"),
        ("scripted", {"steps": [{"timeout": 1e9}]}, "steps"),
        ("scripted", {"drain": 1}, "drain"),
        ("nobody", {}, "driver"),
    ],
)
def test_what_a_driver_does_not_take_is_named(kind, given, key):
    found = settings.wrong(kind, given)
    assert list(found) == [key]
    assert ("no driver named" if kind == "nobody" else f"“{key}”") in found[key]


def test_what_drivers_are_told_in_this_house_is_taken():
    assert settings.wrong("local", {"drain": 3, "migrate_timeout": 60}) == {}
    script = {"steps": [{"do": "again", "seconds": 1, "times": 2}, {}], "durable": False, "reports": {"version": "1"}}
    assert settings.wrong("scripted", script) == {}
