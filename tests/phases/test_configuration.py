"""Configuration values: plain and secret, frozen, compared, never shown again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import connection

from phases import actions, configuration
from phases.models import Environment, Variable
from relman.audit.models import Event
from relman.errors import Forbidden, Invalid, NotFound
from tests.phases.world import World

pytestmark = pytest.mark.django_db
SECRET = "correct horse battery staple"


@pytest.fixture
def environment(world: World) -> Environment:
    return world.environment("qa")


def put(world: World, environment: Environment, values: dict[str, Any], who: str = "devops", **more: Any) -> list[Any]:
    return actions.set_configuration(environment, values, actor=world.actor(who), **more)


def test_values_are_set_changed_and_removed(world: World, environment: Environment) -> None:
    assert [tuple(one) for one in put(world, environment, {"GREETING": "Hello", "COLOUR": "red"})] == [
        ("COLOUR", "added", None, "red"),
        ("GREETING", "added", None, "Hello"),
    ]
    changes = put(world, environment, {"GREETING": "Hi", "COLOUR": None})
    assert [tuple(one) for one in changes] == [
        ("COLOUR", "removed", "red", None),
        ("GREETING", "changed", "Hello", "Hi"),
    ]
    assert configuration.snapshot(environment) == {"GREETING": {"value": "Hi"}}
    event = Event.objects.latest("id")
    assert (event.verb, event.application, event.phase) == ("configuration.changed", "till", "qa")
    assert event.after == {"values": {"GREETING": "Hi"}}


def test_replace_removes_what_is_not_named(world: World, environment: Environment) -> None:
    put(world, environment, {"A": "1", "B": "2", "C": {"value": SECRET, "secret": True}})
    put(world, environment, {"A": "1", "C": {"secret": True}}, replace=True)
    assert set(configuration.snapshot(environment)) == {"A", "C"}


def test_the_same_again_changes_and_records_nothing(world: World, environment: Environment) -> None:
    values = {"A": "1", "B": {"value": SECRET, "secret": True}}
    put(world, environment, values)
    count, digest = Event.objects.count(), configuration.digest(configuration.snapshot(environment))
    assert put(world, environment, values) == []
    assert Event.objects.count() == count
    assert configuration.digest(configuration.snapshot(environment)) == digest
    assert set(environment.variables.values_list("version", flat=True)) == {1}


def test_a_secret_is_stored_nowhere_in_the_clear(world: World, environment: Environment) -> None:
    put(world, environment, {"KEY": {"value": SECRET, "secret": True}})
    put(world, environment, {"KEY": SECRET + "!"})
    stored = json.dumps(list(Variable.objects.values("key", "value", "ciphertext", "fingerprint")))
    recorded = json.dumps(list(Event.objects.values("detail", "before", "after", "subject")))
    frozen = configuration.snapshot(environment)
    for place in (stored, recorded, json.dumps(frozen), json.dumps(configuration.public(frozen))):
        assert "horse" not in place
    assert "secret, version 2" in recorded
    assert configuration.reveal(frozen) == ({"KEY": SECRET + "!"}, frozenset({SECRET + "!"}))


def test_a_secret_stays_secret_and_becomes_plain_only_with_a_new_value(world: World, environment: Environment) -> None:
    put(world, environment, {"KEY": {"value": SECRET, "secret": True}})
    with pytest.raises(Invalid, match="never shown again"):
        put(world, environment, {"KEY": {"secret": False}})
    put(world, environment, {"KEY": {"value": "open", "secret": False}})
    assert configuration.snapshot(environment) == {"KEY": {"value": "open"}}
    put(world, environment, {"KEY": {"secret": True}})
    (row,) = environment.variables.all()
    assert row.secret and row.value == "" and row.version == 3
    assert configuration.reveal(configuration.snapshot(environment))[0] == {"KEY": "open"}


@pytest.mark.parametrize(
    "values",
    [
        {"1A": "x"},
        {"A-B": "x"},
        {"": "x"},
        {"A\n": "x"},
        {"A" * 129: "x"},
        {"PORT": "1"},
        {"port": "1"},
        {"RELMAN_PHASE": "x"},
        {"A": "x" * (32 * 1024 + 1)},
        {"A": "\x00"},
        {"A": "\ud800"},
        {"A": 1},
        {"A": {"value": 1}},
        {"A": {"value": "x", "secret": "yes"}},
        {"A": {"secret": True}},
        {"A": {"value": "x", "epoch": 3}},
        {f"A{n}": "x" for n in range(501)},
    ],
)
def test_what_cannot_be_a_value_is_refused_whole(world: World, environment: Environment, values: Any) -> None:
    with pytest.raises(Invalid):
        put(world, environment, {"GOOD": "x", **values})
    assert not environment.variables.exists()


def test_all_that_is_wrong_is_said_at_once(world: World, environment: Environment) -> None:
    with pytest.raises(Invalid) as refusal:
        put(world, environment, {"1A": "x", "PORT": "1"})
    assert set(refusal.value.extra["fields"]) == {"1A", "PORT"}


def test_the_wrong_role_and_the_outsider(world: World, environment: Environment) -> None:
    with pytest.raises(Forbidden, match=r"configuration of QA\. Who may: DevOps"):
        put(world, environment, {"A": "1"}, who="developer")
    with pytest.raises(NotFound):
        put(world, environment, {"A": "1"}, who="outsider")
    assert list(Event.objects.filter(outcome="refused").values_list("verb", flat=True)) == ["configuration.changed"] * 2


def test_comparing_shows_secrets_by_version_only() -> None:
    old: dict[str, Any] = {
        "K": {"secret": "x", "fingerprint": "1", "version": 1},
        "P": {"value": "a"},
        "S": {"value": "b"},
    }
    new: dict[str, Any] = {
        "K": {"secret": "y", "fingerprint": "2", "version": 2},
        "P": {"value": "a"},
        "N": {"value": "c"},
    }
    assert [tuple(one) for one in configuration.compare(old, new)] == [
        ("K", "changed", "secret, version 1", "secret, version 2"),
        ("N", "added", None, "c"),
        ("S", "removed", "b", None),
    ]
    assert configuration.compare(old, old) == []
    again = {**old, "K": {"secret": "encrypted anew", "fingerprint": "1", "version": 1}}
    assert configuration.digest(again) == configuration.digest(old) != configuration.digest(new)


def test_missing_keys_are_named() -> None:
    assert configuration.missing({"A": {"value": ""}}, ["B", "A", "C"]) == ["B", "C"]


def test_keys_can_be_rotated(settings: Any) -> None:
    first, second = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.SECRETS_KEYS = [first]
    kept = configuration.encrypt(SECRET)
    settings.SECRETS_KEYS = [second, first]
    assert configuration.decrypt(kept) == SECRET
    settings.SECRETS_KEYS = [second]
    with pytest.raises(configuration.Unreadable, match="Set it again"):
        configuration.decrypt(kept)
    settings.SECRETS_KEYS = []
    with pytest.raises(configuration.Unreadable, match="RELMAN_SECRETS_KEY"):
        configuration.encrypt("x")


def test_a_fingerprint_is_keyed_and_tells_nothing_across_environments(settings: Any) -> None:
    one = configuration.fingerprint(SECRET, "1/KEY")
    assert one == configuration.fingerprint(SECRET, "1/KEY") != configuration.fingerprint(SECRET, "2/KEY")
    settings.SECRET_KEY = "another"
    assert configuration.fingerprint(SECRET, "1/KEY") != one


def test_the_database_refuses_a_plain_value_in_a_secret(world: World, environment: Environment) -> None:
    put(world, environment, {"KEY": {"value": SECRET, "secret": True}})
    with pytest.raises(Exception, match="variable_secret_never_plain"), connection.cursor() as cursor:
        cursor.execute("UPDATE phases_variable SET value = 'x'")
