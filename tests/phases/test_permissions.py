"""Who may do what, phase by phase."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from phases import actions, permissions
from phases.models import Grant, Phase, PhaseUserPermission, Token, User
from phases.permissions import table
from relman import clock
from relman.actors import Actor
from relman.errors import Forbidden, NotFound
from tests.phases.world import World

pytestmark = pytest.mark.django_db

# The default roles, written out a second time: role -> right -> phases.
EVERY = "dev qa stage live"
EXPECTED = {
    "developer": {"view": EVERY, "open": "dev qa", "publish": "dev", "promote": "dev qa", "roll_back": "dev"},
    "qa-engineer": {
        "view": EVERY,
        "open": "dev qa stage",
        "promote": "qa stage",
        "approve": EVERY,
        "sign_off": "qa stage",
        "roll_back": "qa",
    },
    "stakeholder": {"view": "qa stage live", "open": "qa stage"},
    "business-owner": {"view": EVERY, "open": "stage", "approve": "live", "sign_off": "stage"},
    "devops": {
        "view": EVERY,
        "open": EVERY,
        "configure": EVERY,
        "roll_back": EVERY,
        "freeze": EVERY,
        "manage_access": EVERY,
    },
    "release-manager": {
        "view": EVERY,
        "open": EVERY,
        "publish": "dev",
        "promote": EVERY,
        "roll_back": EVERY,
        "freeze": EVERY,
        "break_glass": EVERY,
    },
    "ci-robot": {"view": EVERY, "publish": "dev", "promote": "dev"},
    "outsider": {},
    "admin": {"view": EVERY, "manage_access": EVERY},
}


@pytest.mark.parametrize("who", sorted(EXPECTED))
def test_each_role_has_the_rights_of_the_default_table(world: World, who: str) -> None:
    actor = world.actor(who)
    for phase in world.pipeline.phases.all():
        have = {right for right in permissions.RIGHTS if permissions.can(actor, right, phase)}
        assert have == {right for right, where in EXPECTED[who].items() if phase.slug in where.split()}


def test_an_outsider_finds_nothing_and_a_member_learns_who_may(world: World) -> None:
    live = world.phase("live")
    with pytest.raises(NotFound):
        permissions.require(world.actor("outsider"), "promote", live)
    with pytest.raises(NotFound):
        permissions.require(world.actor("stakeholder"), "promote", world.phase("dev"))
    with pytest.raises(Forbidden, match=r"You may not promote into Live\. Who may: Release manager\.") as refusal:
        permissions.require(world.actor("developer"), "promote", live)
    assert refusal.value.extra["roles"] == ["Release manager"]
    assert refusal.value.extra["people"] == [world.people["release-manager"].display]
    permissions.require(world.actor("release-manager"), "promote", live)


def test_an_unknown_right_is_a_mistake_of_the_caller(world: World) -> None:
    with pytest.raises(ValueError, match="no right"):
        permissions.can(world.actor("admin"), "fly", world.phase("dev"))


def test_an_environment_asks_its_phase(world: World) -> None:
    environment = world.environment("qa")
    assert permissions.can(world.actor("qa-engineer"), "promote", environment)
    assert not permissions.can(world.actor("ci-robot"), "promote", environment)


def test_rights_cost_one_query_a_request(world: World, django_assert_num_queries: Any) -> None:
    actor, phases = world.actor("developer"), list(world.pipeline.phases.all())
    with django_assert_num_queries(1):
        for phase in phases * 5:
            for right in permissions.RIGHTS:
                permissions.can(actor, right, phase)
        permissions.permission_map(actor)


def test_an_expired_grant_counts_for_nothing_from_the_next_request(world: World) -> None:
    qa = world.phase("qa")
    actor = world.actor("admin", "admin")
    tester = world.people["outsider"]
    actions.grant(world.role("qa-engineer"), qa, actor=actor, user=tester, until=clock.now() + timedelta(hours=1))
    assert permissions.can(world.actor("outsider"), "approve", qa)
    past = clock.now() - timedelta(seconds=1)
    PhaseUserPermission.objects.filter(user=tester).update(until=past)
    Grant.objects.filter(user=tester).update(until=past)
    assert not permissions.can(world.actor("outsider"), "view", qa)
    assert tester not in permissions.people_who_can("approve", qa)
    assert tester.pk not in permissions.approver_roles(qa)
    assert not permissions.visible_phases(world.actor("outsider")).exists()


def test_a_disabled_person_has_nothing(world: World) -> None:
    User.objects.filter(username__in=["developer", "admin"]).update(is_active=False)
    for name in ("developer", "admin"):
        actor = world.actor(name)
        assert not permissions.can(actor, "view", world.phase("dev"))
        assert permissions.permission_map(actor) == {}
    assert not permissions.people_who_can("publish", world.phase("dev")).filter(username="developer").exists()


def test_an_administrator_sees_everything_and_acts_by_grant_only(world: World) -> None:
    actor = world.actor("admin")
    assert permissions.visible_phases(actor).count() == 4
    assert set(permissions.permission_map(actor)) == set(Phase.objects.values_list("pk", flat=True))
    with pytest.raises(Forbidden):
        permissions.require(actor, "approve", world.phase("live"))
    actions.grant(world.role("release-manager"), world.phase("live"), actor=actor, user=world.admin)
    permissions.require(world.actor("admin"), "promote", world.phase("live"))


def test_relman_itself_may_do_everything_and_nobody_nothing(world: World) -> None:
    assert permissions.can(Actor.system(), "promote", world.phase("live"))
    assert not permissions.can(Actor(None, "gateway"), "view", world.phase("live"))


def token(world: World, owner: str, **limits: Any) -> Actor:
    user = world.admin if owner == "admin" else world.people[owner]
    made, _ = actions.issue_token(user, actor=world.actor(owner), name="t", **limits)
    return Actor(user, "api", token=made)


def test_a_token_narrows_and_never_widens(world: World) -> None:
    qa, stage = world.phase("qa"), world.phase("stage")
    actor = token(world, "release-manager", rights=["promote", "approve"], phases=[qa])
    assert permissions.can(actor, "promote", qa)
    assert not permissions.can(actor, "approve", qa), "its owner may not"
    assert not permissions.can(actor, "freeze", qa), "not in the token"
    assert not permissions.can(actor, "view", stage)
    assert list(permissions.visible_phases(actor)) == [qa]
    with pytest.raises(Forbidden, match="This token may not freeze"):
        permissions.require(actor, "freeze", qa)


def test_an_emptied_scope_gives_nothing(world: World) -> None:
    actor = token(world, "developer", phases=[])
    assert permissions.permission_map(actor) == {}
    actor = token(world, "developer", applications=[world.application])
    assert permissions.can(actor, "publish", world.phase("dev"), world.application)
    world.application.delete()
    fresh = Actor(actor.user, "api", token=Token.objects.get(pk=actor.token.pk if actor.token else 0))
    assert not permissions.visible_applications(fresh).exists()


def test_a_token_for_one_application_does_not_see_another(world: World) -> None:
    other = actions.create_application(world.pipeline, actor=world.actor("admin"), name="Shelf", slug="shelf")
    actor = token(world, "developer", applications=[other])
    assert list(permissions.visible_applications(actor)) == [other]
    assert not permissions.can(actor, "view", world.phase("dev"), world.application)
    environment = world.environment("dev")
    with pytest.raises(NotFound):
        permissions.require(actor, "promote", environment)
    assert not permissions.visible_environments(actor).exists()
    with pytest.raises(NotFound):
        permissions.require_application(actor, world.application)


def test_a_token_of_an_administrator_does_not_manage_access(world: World) -> None:
    actor = token(world, "admin")
    assert permissions.can(actor, "view", world.phase("live"))
    assert not permissions.can(actor, "manage_access", world.phase("live"))
    limited = token(world, "admin", rights=["view"])
    with pytest.raises(Forbidden, match="limited"):
        permissions.require_administrator(limited, "create pipelines")
    permissions.require_administrator(actor, "create pipelines")


def test_a_limited_token_of_an_administrator_makes_nothing(world: World) -> None:
    for limit in ({"applications": [world.application]}, {"phases": [world.phase("dev")]}):
        with pytest.raises(Forbidden, match="limited"):
            permissions.require_administrator(token(world, "admin", **limit), "create pipelines")


def test_what_one_sees_follows_from_view(world: World) -> None:
    environment = world.environment("dev")
    actor = world.actor("stakeholder")
    assert [phase.slug for phase in permissions.visible_phases(actor)] == ["qa", "stage", "live"]
    assert list(permissions.visible_applications(actor)) == [world.application]
    assert environment not in permissions.visible_environments(actor)
    assert environment in permissions.visible_environments(world.actor("developer"))
    outsider = world.actor("outsider")
    assert not permissions.visible_applications(outsider).exists()
    assert not permissions.visible_pipelines(outsider).exists()


def test_the_record_is_seen_by_who_sees_the_phase(world: World) -> None:
    found = permissions.sight(world.actor("stakeholder"))
    assert found.phases == {world.phase(slug).pk for slug in ("qa", "stage", "live")}
    assert found.pipelines == {world.pipeline.pk} and found.applications == {"till"}
    assert permissions.sight(world.actor("admin")).everything
    assert not permissions.sight(world.actor("outsider")).phases


def test_roles_are_named_by_right_and_people_found(world: World) -> None:
    assert permissions.roles_with("approve", world.phase("live")) == ["Business owner", "QA engineer"]
    people = permissions.people_who_can("approve", world.phase("live"))
    assert [user.username for user in people] == ["business-owner", "qa-engineer"]


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        ("dev qa stage live", "dev qa stage live"),
        ("demo live", "dev live"),
        ("dev demo stage live", "dev qa stage live"),
        ("build review uat prod", "dev qa stage live"),
        ("a b c d", "dev qa stage live"),
        ("a b c", "dev qa live"),
        ("only", "live"),
    ],
)
def test_other_pipelines_take_the_rights_of_the_phase_they_are_like(phases: str, expected: str) -> None:
    assert table.kinds([(slug, slug.title()) for slug in phases.split()]) == expected.split()


def test_publish_exists_in_the_first_phase_only() -> None:
    assert "publish" in table.default_rights("developer", "live", first=True)
    assert "publish" not in table.default_rights("developer", "dev", first=False)
    assert table.default_rights("somebody", "dev", first=True) == frozenset()
