"""Giving and taking roles: guardian's rows follow, rules stay meetable, everything is recorded."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group

from phases import actions, permissions
from phases.models import Grant, PhaseGroupPermission, PhaseUserPermission, Rule, User
from relman import clock
from relman.actors import Actor
from relman.audit.models import Event
from relman.errors import Conflict, Forbidden, Invalid, NotFound
from tests.phases.world import World

pytestmark = pytest.mark.django_db


def rights_of(user: User, phase: str, world: World) -> set[str]:
    actor = Actor(User.objects.get(pk=user.pk), "page")
    return {right for right in permissions.RIGHTS if permissions.can(actor, right, world.phase(phase))}


def test_a_grant_works_from_the_next_request_and_is_recorded(world: World) -> None:
    outsider, live = world.people["outsider"], world.phase("live")
    assert rights_of(outsider, "live", world) == set()
    given = actions.grant(world.role("developer"), live, actor=world.actor("devops"), user=outsider)
    assert rights_of(outsider, "live", world) == {"view"}
    event = Event.objects.filter(verb="grant.created").latest("id")
    assert event.detail == "outsider now has the role Developer for Live."
    assert (event.phase, event.outcome, event.actor_name) == ("live", "done", "Devops")
    assert event.actor_role == "DevOps" and (event.after or {})["person"] == "outsider"
    actions.revoke(given, actor=world.actor("devops"))
    assert rights_of(outsider, "live", world) == set()
    event = Event.objects.filter(verb="grant.revoked").latest("id")
    assert (event.before or {})["role"] == "developer" and event.subject_id is not None


@pytest.mark.parametrize("who", ["developer", "qa-engineer", "release-manager", "business-owner"])
def test_the_wrong_role_is_refused_and_that_is_recorded(world: World, who: str) -> None:
    with pytest.raises(Forbidden, match="Who may: DevOps") as refusal:
        actions.grant(
            world.role("developer"), world.phase("live"), actor=world.actor(who), user=world.people["outsider"]
        )
    assert refusal.value.extra["roles"] == ["DevOps"]
    event = Event.objects.latest("id")
    assert (event.verb, event.outcome, event.phase) == ("grant.created", "refused", "live")


def test_an_outsider_learns_nothing(world: World) -> None:
    with pytest.raises(NotFound):
        actions.grant(
            world.role("devops"), world.phase("live"), actor=world.actor("outsider"), user=world.people["outsider"]
        )
    with pytest.raises(NotFound):
        actions.revoke(world.grant_of("developer", "dev"), actor=world.actor("outsider"))


def test_two_grants_may_give_one_right(world: World) -> None:
    qa, tester = world.phase("qa"), world.people["outsider"]
    actor = world.actor("admin", "admin")
    first = actions.grant(world.role("developer"), qa, actor=actor, user=tester)
    actions.grant(world.role("qa-engineer"), qa, actor=actor, user=tester)
    actions.revoke(first, actor=world.actor("admin", "admin"))
    assert "promote" in rights_of(tester, "qa", world)
    assert PhaseUserPermission.objects.filter(user=tester, permission__codename="view").count() == 1


def test_the_longest_end_counts(world: World) -> None:
    qa, tester, actor = world.phase("qa"), world.people["outsider"], world.actor("admin", "admin")
    soon, later = clock.now() + timedelta(hours=1), clock.now() + timedelta(days=1)
    actions.grant(world.role("developer"), qa, actor=actor, user=tester, until=later)
    actions.grant(world.role("qa-engineer"), qa, actor=actor, user=tester, until=soon)
    ends = dict(PhaseUserPermission.objects.filter(user=tester).values_list("permission__codename", "until"))
    assert ends["view"] == later and ends["approve"] == soon
    actions.grant(world.role("developer"), qa, actor=actor, user=tester)
    ends = dict(PhaseUserPermission.objects.filter(user=tester).values_list("permission__codename", "until"))
    assert ends["view"] is None
    assert Event.objects.latest("id").verb == "grant.changed"
    assert Grant.objects.filter(user=tester, role__slug="developer").count() == 1


def test_granting_again_changes_nothing_and_says_nothing(world: World) -> None:
    count = Event.objects.count()
    actions.grant(
        world.role("developer"), world.phase("dev"), actor=world.actor("devops"), user=world.people["developer"]
    )
    assert Event.objects.count() == count


def test_a_grant_needs_one_holder_a_future_and_an_open_account(world: World) -> None:
    role, live, actor = world.role("developer"), world.phase("live"), world.actor("devops")
    person = world.people["outsider"]
    with pytest.raises(Invalid):
        actions.grant(role, live, actor=actor)
    with pytest.raises(Invalid):
        actions.grant(role, live, actor=actor, user=person, until=clock.now() - timedelta(seconds=1))
    User.objects.filter(pk=person.pk).update(is_active=False)
    person.refresh_from_db()
    with pytest.raises(Invalid, match="switched off"):
        actions.grant(role, live, actor=actor, user=person)


def test_a_group_brings_its_members(world: World) -> None:
    tester, admin = world.people["outsider"], world.actor("admin", "admin")
    group = actions.create_group(actor=admin, name="Testers", members=[tester])
    actions.grant(world.role("qa-engineer"), world.phase("qa"), actor=admin, group=group)
    assert "promote" in rights_of(tester, "qa", world)
    assert PhaseGroupPermission.objects.filter(group=group).exists()
    assert tester in permissions.people_who_can("promote", world.phase("qa"))
    assert tester.pk in permissions.approver_roles(world.phase("qa"))
    actions.set_members(group, [], actor=world.actor("admin", "admin"))
    assert rights_of(tester, "qa", world) == set()
    assert Event.objects.latest("id").detail == "The group Testers: outsider left."


def test_who_manages_access_somewhere_may_enter_the_admin(world: World) -> None:
    person = world.people["outsider"]
    given = actions.grant(world.role("devops"), world.phase("dev"), actor=world.actor("admin", "admin"), user=person)
    person.refresh_from_db()
    assert person.is_staff
    actions.revoke(given, actor=world.actor("admin", "admin"))
    person.refresh_from_db()
    assert not person.is_staff
    group = Group.objects.create(name="Operators")
    group.user_set.add(person)
    actions.grant(world.role("devops"), world.phase("dev"), actor=world.actor("admin", "admin"), group=group)
    person.refresh_from_db()
    assert person.is_staff
    actions.set_role_rights(world.role("devops"), world.phase("dev"), ["view"], actor=world.actor("admin", "admin"))
    person.refresh_from_db()
    assert not person.is_staff
    assert User.objects.get(username="devops").is_staff, "manages access in the other phases"


def test_a_role_gets_a_right_and_everybody_with_it_has_it(world: World) -> None:
    developer, live = world.role("developer"), world.phase("live")
    revision = world.pipeline.revision
    actions.set_role_rights(developer, live, ["open", "promote"], actor=world.actor("devops"))
    assert rights_of(world.people["developer"], "live", world) == {"view", "open", "promote"}
    event = Event.objects.latest("id")
    assert event.detail == "Developer may now open, promote in Live."
    assert (event.before, event.after) == ({"rights": ["view"]}, {"rights": ["open", "promote", "view"]})
    world.pipeline.refresh_from_db()
    assert world.pipeline.revision > revision
    actions.set_role_rights(developer, live, [], actor=world.actor("devops"))
    assert rights_of(world.people["developer"], "live", world) == set()


def test_rights_of_a_role_are_checked(world: World) -> None:
    with pytest.raises(Invalid, match="no right fly"):
        actions.set_role_rights(world.role("developer"), world.phase("live"), ["fly"], actor=world.actor("devops"))
    with pytest.raises(Invalid, match="first phase"):
        actions.set_role_rights(world.role("developer"), world.phase("live"), ["publish"], actor=world.actor("devops"))
    with pytest.raises(Forbidden):
        actions.set_role_rights(
            world.role("developer"), world.phase("live"), ["approve"], actor=world.actor("developer")
        )


def test_a_role_given_to_oneself_never_counts_for_an_approval(world: World) -> None:
    live, owner = world.phase("live"), world.role("business-owner")
    actor = world.actor("devops")
    assert actor.user is not None
    actions.grant(owner, live, actor=actor, user=actor.user)
    assert "approve" in rights_of(actor.user, "live", world)
    assert permissions.counts_for(actor.user, live) == frozenset()
    assert permissions.approvers(live.rules.get(name="business")) == [world.people["business-owner"]]
    actions.grant(owner, live, actor=world.actor("admin", "admin"), user=actor.user, until=clock.now() + timedelta(1))
    assert permissions.counts_for(actor.user, live) == {owner.pk}


def test_an_administrator_in_a_group_does_not_count(world: World) -> None:
    live, owner = world.phase("live"), world.role("business-owner")
    admin = world.actor("admin", "admin")
    group = actions.create_group(actor=admin, name="Owners", members=[world.admin, world.people["outsider"]])
    actions.grant(owner, live, actor=world.actor("devops"), group=group)
    counted = permissions.approver_roles(live)
    assert world.admin.pk not in counted and counted[world.people["outsider"].pk] == {owner.pk}


def test_who_gave_a_group_its_role_does_not_count_in_it(world: World) -> None:
    live, owner = world.phase("live"), world.role("business-owner")
    devops = world.people["devops"]
    group = actions.create_group(
        actor=world.actor("admin", "admin"), name="Owners", members=[devops, world.people["outsider"]]
    )
    actions.grant(owner, live, actor=world.actor("devops"), group=group)
    counted = permissions.approver_roles(live)
    assert devops.pk not in counted and world.people["outsider"].pk in counted


def test_only_a_role_with_the_right_to_approve_counts(world: World) -> None:
    live, owner = world.phase("live"), world.role("business-owner")
    assert permissions.counts_for(world.people["business-owner"], live) == {owner.pk}
    assert permissions.counts_for(world.people["developer"], live) == frozenset()
    actions.set_role_rights(owner, live, ["view"], actor=world.actor("devops"))
    assert permissions.counts_for(world.people["business-owner"], live) == frozenset()
    (rule,) = permissions.unmeetable_rules(live)
    assert "does not have the right approve" in rule.sentence


def test_approvers_cost_two_queries(world: World, django_assert_num_queries: Any) -> None:
    phases = list(world.pipeline.phases.all())
    with django_assert_num_queries(2):
        permissions.approver_roles(phases[0])
    with django_assert_num_queries(2):
        permissions.approver_roles_of([phase.pk for phase in phases])


def test_a_rule_nobody_can_meet_names_what_is_missing(world: World) -> None:
    live = world.phase("live")
    assert permissions.unmeetable_rules(live) == []
    given = world.grant_of("business-owner", "live")
    with pytest.raises(Conflict, match="needs 1 × Business owner, and nobody has that role") as refusal:
        actions.revoke(given, actor=world.actor("devops"), careful=True)
    assert refusal.value.extra["rules"] == ["business"]
    assert Grant.objects.filter(pk=given.pk).exists()
    actions.revoke(given, actor=world.actor("devops"))
    assert [one.rule.name for one in permissions.unmeetable_rules(live)] == ["business"]
    other = world.grant_of("developer", "live")
    actions.revoke(other, actor=world.actor("devops"), careful=True)


def test_a_careful_rule_is_refused_when_nobody_could_meet_it(world: World) -> None:
    stage = world.phase("stage")
    with pytest.raises(Conflict, match=r"needs 2 × QA engineer, and only one person has"):
        actions.set_rule(
            stage, actor=world.actor("devops"), name="two", role=world.role("qa-engineer"), count=2, careful=True
        )
    assert not Rule.objects.filter(phase=stage).exists()


def test_rules_that_only_one_person_could_meet_together_are_named(world: World) -> None:
    live, person = world.phase("live"), world.people["outsider"]
    actor = world.actor("admin", "admin")
    for name in ("business-owner", "qa-engineer"):
        actions.grant(world.role(name), live, actor=actor, user=person)
        actions.revoke(world.grant_of(name, "live"), actor=actor)
    (found,) = permissions.unmeetable_rules(live)
    assert "cannot all be met" in found.sentence


def test_a_grant_that_ends_is_foreseen(world: World) -> None:
    live, end = world.phase("live"), clock.now() + timedelta(days=1)
    actions.grant(
        world.role("business-owner"), live, actor=world.actor("devops"), user=world.people["business-owner"], until=end
    )
    assert permissions.unmeetable_rules(live) == []
    assert [one.rule.name for one in permissions.unmeetable_rules(live, at=end + timedelta(seconds=1))] == ["business"]
