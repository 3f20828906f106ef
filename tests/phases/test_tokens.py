"""Bearer tokens: shown once, never wider or longer-lived than whom they act for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from phases import actions, permissions, tokens
from phases.models import Token, User
from relman import clock
from relman.actors import Actor
from relman.audit.models import Event
from relman.errors import Conflict, Forbidden, Invalid, NotFound
from tests.phases.world import World

pytestmark = pytest.mark.django_db


def make(world: World, owner: str = "developer", by: str = "", **limits: Any) -> tuple[Token, str]:
    user = world.admin if owner == "admin" else world.people[owner]
    return tokens.issue(user, actor=world.actor(by or owner), **{"name": "ci", **limits})


def test_a_token_is_shown_once_and_stored_hashed(world: World) -> None:
    token, raw = make(world)
    token.refresh_from_db()
    assert raw.startswith(f"rlm_{token.prefix}_") and len(raw) > 50
    secret = raw.rsplit("_", 1)[-1]
    kept = json.dumps([str(Token.objects.values().get()), *map(str, Event.objects.values())])
    assert secret not in kept
    assert tokens.authenticate(raw) == (world.people["developer"], token)
    event = Event.objects.latest("id")
    assert event.verb == "token.issued" and (event.after or {})["prefix"] == token.prefix


@pytest.mark.parametrize("wrong", ["", "x", "rlm_", "rlm_aaaaaaaaaaaa_" + "a" * 43, "rlm_" + "a" * 5000, "rlm_é"])
def test_a_made_up_token_is_nobody(world: World, wrong: str) -> None:
    make(world)
    assert tokens.authenticate(wrong) is None


def test_a_right_prefix_with_another_secret_is_nobody(world: World) -> None:
    _, raw = make(world)
    assert tokens.authenticate(raw[:-1] + ("A" if raw[-1] != "A" else "B")) is None


def test_an_end_a_revocation_and_a_switched_off_owner_count_at_once(world: World) -> None:
    token, raw = make(world, expires_at=clock.now() + timedelta(hours=1))
    assert tokens.authenticate(raw)
    Token.objects.filter(pk=token.pk).update(expires_at=clock.now())
    assert tokens.authenticate(raw) is None
    token, raw = make(world)
    tokens.revoke(token, actor=world.actor("developer"))
    assert tokens.authenticate(raw) is None
    with pytest.raises(Conflict, match="already"):
        tokens.revoke(token, actor=world.actor("developer"))
    _, raw = make(world)
    User.objects.filter(username="developer").update(is_active=False)
    assert tokens.authenticate(raw) is None


def test_use_is_noted_at_most_once_a_minute(world: World, django_assert_num_queries: Any) -> None:
    token, raw = make(world)
    with django_assert_num_queries(2):
        tokens.authenticate(raw)
    with django_assert_num_queries(1):
        tokens.authenticate(raw)
    token.refresh_from_db()
    first = token.last_used_at
    assert first is not None
    Token.objects.filter(pk=token.pk).update(last_used_at=first - timedelta(minutes=2))
    tokens.authenticate(raw)
    token.refresh_from_db()
    assert token.last_used_at is not None and token.last_used_at > first


def test_a_token_is_made_by_its_owner_or_for_a_machine_by_an_administrator(world: World) -> None:
    with pytest.raises(Forbidden):
        make(world, "developer", by="release-manager")
    with pytest.raises(Forbidden):
        make(world, "developer", by="admin")
    User.objects.filter(username="ci-robot").update(machine=True)
    world.people["ci-robot"].refresh_from_db()
    assert make(world, "ci-robot", by="admin")
    with pytest.raises(Forbidden):
        make(world, "ci-robot", by="devops")
    assert Event.objects.filter(verb="token.issued", outcome="refused").count() == 3


def test_a_token_from_a_token_is_no_wider_and_no_longer(world: World) -> None:
    end = clock.now() + timedelta(hours=1)
    dev, qa = world.phase("dev"), world.phase("qa")
    parent, raw = make(world, rights=["view", "promote"], phases=[dev], expires_at=end)
    actor = Actor(world.people["developer"], "api", token=parent)

    def child(**limits: Any) -> Token:
        return tokens.issue(world.people["developer"], actor=actor, name="child", **limits)[0]

    for wider in ({"rights": ["publish"]}, {"phases": [dev, qa]}, {"expires_at": end + timedelta(seconds=1)}):
        with pytest.raises(Forbidden):
            child(**wider)
    made = child()
    assert (made.parent, made.expires_at, made.rights) == (parent, end, ["promote", "view"])
    assert made.limited_to_phases and list(made.phases.all()) == [dev]
    _, second = tokens.issue(world.people["developer"], actor=actor, name="child")
    assert tokens.authenticate(second)
    tokens.revoke(parent, actor=world.actor("developer"))
    assert tokens.authenticate(second) is None and tokens.authenticate(raw) is None
    with pytest.raises(Forbidden):
        tokens.issue(world.people["qa-engineer"], actor=actor, name="other")


def test_what_the_owner_does_not_see_is_not_there_for_a_token(world: World) -> None:
    with pytest.raises(NotFound):
        make(world, "stakeholder", phases=[world.phase("dev")])
    with pytest.raises(NotFound):
        make(world, "outsider", applications=[world.application])


def test_bad_wishes_are_named(world: World) -> None:
    with pytest.raises(Invalid, match="no right fly"):
        make(world, rights=["fly"])
    with pytest.raises(Invalid, match="future"):
        make(world, expires_at=clock.now() - timedelta(1))
    with pytest.raises(Invalid, match="year from 1970 to 9990"):
        make(world, expires_at=datetime(9999, 12, 31, 23, tzinfo=UTC))
    with pytest.raises(Invalid, match="Name the token"):
        make(world, name=" ")


def test_a_right_lost_is_lost_for_the_token_too(world: World) -> None:
    token, _ = make(world, rights=["promote"])
    actor = Actor(world.people["developer"], "api", token=token)
    permissions.require(actor, "promote", world.phase("dev"))
    actions.revoke(world.grant_of("developer", "dev"), actor=world.actor("devops"))
    with pytest.raises(NotFound):
        permissions.require(Actor(actor.user, "api", token=token), "promote", world.phase("dev"))


def test_others_cannot_revoke_it(world: World) -> None:
    token, raw = make(world)
    with pytest.raises(NotFound):
        tokens.revoke(token, actor=world.actor("devops"))
    tokens.revoke(token, actor=world.actor("admin"))
    assert tokens.authenticate(raw) is None


def test_a_limited_token_ends_itself_and_what_it_made_and_no_other(world: World) -> None:
    wide, _ = make(world)
    narrow, _ = make(world, rights=["view"])
    actor = Actor(world.people["developer"], "api", token=narrow)
    child, _ = tokens.issue(world.people["developer"], actor=actor, name="child")
    with pytest.raises(Forbidden, match="limited"):
        tokens.revoke(wide, actor=actor)
    for one in (child, narrow):
        tokens.revoke(one, actor=actor)
    tokens.revoke(wide, actor=world.actor("developer"))
