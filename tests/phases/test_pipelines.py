"""Pipelines, phases and applications: made, ordered, changed and removed by their verbs."""

from __future__ import annotations

from typing import Any

import pytest

from phases import actions, permissions
from phases.models import Application, Phase, Pipeline, Role, RoleRight, User
from phases.templates import TEMPLATES
from relman.actors import Actor
from relman.audit.models import Event
from relman.errors import Conflict, Forbidden, Invalid, NotFound
from tests.phases.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Actor:
    return Actor(User.objects.create(username="boss", is_superuser=True), "admin")


def slugs(pipeline: Pipeline) -> list[str]:
    return list(pipeline.phases.order_by("position").values_list("slug", flat=True))


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_each_template_makes_a_pipeline(admin: Actor, name: str) -> None:
    pipeline = actions.create_pipeline(name, actor=admin, name="Stall", slug="stall")
    assert slugs(pipeline) == [one.slug for one in TEMPLATES[name].phases]
    last = permissions.last_phase(pipeline)
    assert last.public and last.slug == "live"
    assert set(last.rules.values_list("name", flat=True)) >= {"business"}
    assert RoleRight.objects.filter(phase=permissions.first_phase(pipeline), right="publish").count() == 3
    assert not RoleRight.objects.filter(phase=last, right="publish").exists()


def test_the_four_phase_template_asks_for_two_different_people(admin: Actor) -> None:
    pipeline = actions.create_pipeline("dev-qa-stage-live", actor=admin, name="Stall", slug="stall")
    rules = permissions.last_phase(pipeline).rules.values_list("name", "role__slug", "count")
    assert sorted(rules) == [("business", "business-owner", 1), ("quality", "qa-engineer", 1)]
    assert [phase.optional for phase in pipeline.phases.all()] == [False] * 4


def test_a_pipeline_of_ones_own(admin: Actor) -> None:
    wanted: list[Any] = [
        {"name": "Build"},
        {"name": "User test", "optional": True},
        {"slug": "prod", "name": "Production"},
    ]
    pipeline = actions.create_pipeline(wanted, actor=admin, name="Own", slug="own")
    assert slugs(pipeline) == ["build", "user-test", "prod"]
    assert pipeline.phases.get(slug="user-test").optional
    assert Event.objects.latest("id").detail == "The pipeline Own was created: Build → User test → Production."


@pytest.mark.parametrize(
    "wanted",
    [
        [],
        [{"name": "A"}] * 2,
        [{"name": ""}],
        [{"name": "A", "slug": "A B"}],
        [{"name": "Admin"}],
        [{"name": "A", "public": "yes"}],
        [{"name": "A", "epoch": 1}],
        [{"name": f"P{n}"} for n in range(21)],
        "no-such-template",
    ],
)
def test_a_layout_that_cannot_be_built_is_refused(admin: Actor, wanted: object) -> None:
    with pytest.raises(Invalid):
        actions.create_pipeline(wanted, actor=admin, name="X", slug="x")  # type: ignore[arg-type]  # that is the point
    assert not Pipeline.objects.filter(slug="x").exists()


@pytest.mark.parametrize("slug", ["", "A", "a_b", "-a", "a-", "a" * 64, "admin", "new", "xn--a", "a.b", "a\n"])
def test_names_that_addresses_cannot_carry_are_refused(admin: Actor, slug: str) -> None:
    with pytest.raises(Invalid):
        actions.create_pipeline("demo-live", actor=admin, name="X", slug=slug)
    pipeline = actions.create_pipeline("demo-live", actor=admin, name="X", slug="x")
    with pytest.raises(Invalid):
        actions.create_application(pipeline, actor=admin, name="X", slug=slug)


def test_names_are_taken_once(admin: Actor) -> None:
    pipeline = actions.create_pipeline("demo-live", actor=admin, name="X", slug="x")
    actions.create_application(pipeline, actor=admin, name="Drawer", slug="drawer")
    with pytest.raises(Conflict, match="already"):
        actions.create_pipeline("demo-live", actor=admin, name="Y", slug="x")
    with pytest.raises(Conflict, match="already"):
        actions.create_application(pipeline, actor=admin, name="Drawer", slug="drawer")
    assert Pipeline.objects.filter(slug="x").count() == 1


@pytest.mark.parametrize("who", ["developer", "devops", "release-manager", "outsider"])
def test_only_administrators_make_pipelines_and_applications(world: World, who: str) -> None:
    with pytest.raises(Forbidden):
        actions.create_pipeline("demo-live", actor=world.actor(who), name="X", slug="x")
    with pytest.raises(Forbidden):
        actions.create_application(world.pipeline, actor=world.actor(who), name="X", slug="x")
    assert Event.objects.filter(outcome="refused").count() == 2


def test_templates_share_roles_and_leave_changed_words_alone(world: World) -> None:
    Role.objects.filter(slug="developer").update(name="Programmer")
    actions.create_pipeline("demo-live", actor=world.actor("admin"), name="X", slug="x")
    assert Role.objects.get(slug="developer").name == "Programmer"
    assert Role.objects.count() == 7


def test_a_phase_is_added_between_others(world: World) -> None:
    phase = actions.add_phase(world.pipeline, actor=world.actor("devops"), name="UAT", like=world.phase("stage"))
    assert slugs(world.pipeline) == ["dev", "qa", "stage", "uat", "live"]
    assert permissions.can(world.actor("devops"), "configure", phase)
    assert permissions.can(world.actor("qa-engineer"), "promote", phase)
    other = actions.add_phase(world.pipeline, actor=world.actor("admin", "admin"), name="Review", position=2)
    assert slugs(world.pipeline)[1] == "review"
    assert not permissions.can(world.actor("devops"), "view", other), "without `like` nobody has a role in it"
    assert RoleRight.objects.filter(phase=other, role__slug="devops", right="configure").exists()


def test_the_right_to_publish_stays_with_the_first_phase(world: World) -> None:
    first = actions.add_phase(
        world.pipeline, actor=world.actor("devops"), name="Build", position=1, like=world.phase("dev")
    )
    assert permissions.can(world.actor("developer"), "publish", first)
    assert not permissions.can(world.actor("developer"), "publish", world.phase("dev"))
    actions.move_phase(first, 3, actor=world.actor("devops"))
    assert slugs(world.pipeline) == ["dev", "qa", "build", "stage", "live"]
    assert permissions.can(world.actor("developer"), "publish", world.phase("dev"))
    assert not permissions.can(world.actor("developer"), "publish", first)


def test_a_phase_is_moved_and_its_place_checked(world: World) -> None:
    actions.move_phase(world.phase("stage"), 2, actor=world.actor("devops"))
    assert slugs(world.pipeline) == ["dev", "stage", "qa", "live"]
    assert list(world.pipeline.phases.order_by("position").values_list("position", flat=True)) == [1, 2, 3, 4]
    event = Event.objects.latest("id")
    assert event.before == {"order": ["dev", "qa", "stage", "live"]}
    with pytest.raises(Invalid):
        actions.move_phase(world.phase("stage"), 9, actor=world.actor("devops"))


def test_whole_pipelines_need_manage_access_in_every_phase(world: World) -> None:
    actions.revoke(world.grant_of("devops", "live"), actor=world.actor("admin", "admin"))
    with pytest.raises(Forbidden, match="you lack it in Live"):
        actions.move_phase(world.phase("stage"), 2, actor=world.actor("devops"))
    with pytest.raises(Forbidden):
        actions.add_phase(world.pipeline, actor=world.actor("developer"), name="X")
    with pytest.raises(NotFound):
        actions.add_phase(world.pipeline, actor=world.actor("outsider"), name="X")


def test_a_phase_is_changed(world: World) -> None:
    qa = world.phase("qa")
    actions.set_phase(qa, actor=world.actor("devops"), optional=True, in_order=True, slug="quality")
    actions.rename_phase(qa, "Quality", actor=world.actor("devops"))
    qa.refresh_from_db()
    assert (qa.name, qa.slug, qa.optional, qa.in_order, qa.public) == ("Quality", "quality", True, True, False)
    actions.set_phase(qa, actor=world.actor("devops"), public=True)
    assert Event.objects.latest("id").detail == "The addresses of Quality are now open to everybody."
    with pytest.raises(Forbidden):
        actions.set_phase(qa, actor=world.actor("release-manager"), public=False)
    with pytest.raises(Conflict, match="already"):
        actions.set_phase(qa, actor=world.actor("devops"), slug="live")


def test_a_short_name_stays_while_addresses_carry_it(world: World) -> None:
    world.environment("qa")
    with pytest.raises(Conflict, match="stays while environments exist"):
        actions.set_phase(world.phase("qa"), actor=world.actor("devops"), slug="quality")


def test_a_phase_is_removed_only_when_nothing_is_in_it(world: World) -> None:
    environment = world.environment("qa")
    with pytest.raises(Conflict, match="1 environments"):
        actions.remove_phase(world.phase("qa"), actor=world.actor("devops"))
    actions.remove_environment(environment, actor=world.actor("devops"))
    actions.remove_phase(world.phase("qa"), actor=world.actor("devops"))
    actions.remove_phase(world.phase("dev"), actor=world.actor("devops"))
    assert slugs(world.pipeline) == ["stage", "live"]
    assert permissions.can(world.actor("developer"), "publish", world.phase("stage"))
    actions.remove_phase(world.phase("stage"), actor=world.actor("devops"))
    with pytest.raises(Conflict, match="only phase"):
        actions.remove_phase(world.phase("live"), actor=world.actor("devops"))


def test_a_pipeline_is_edited(world: World) -> None:
    actions.edit_pipeline(
        world.pipeline, actor=world.actor("devops"), name="Shops", prerelease_until=world.phase("stage")
    )
    world.pipeline.refresh_from_db()
    assert (world.pipeline.name, world.pipeline.prerelease_until) == ("Shops", world.phase("stage"))
    actions.edit_pipeline(world.pipeline, actor=world.actor("devops"), prereleases_everywhere=True)
    world.pipeline.refresh_from_db()
    assert world.pipeline.prerelease_until is None


def test_an_application_is_edited(world: World) -> None:
    actions.edit_application(
        world.application, actor=world.actor("devops"), name="Tills", repository="https://example.org/till"
    )
    assert Application.objects.get().name == "Tills"
    with pytest.raises(Invalid):
        actions.edit_application(world.application, actor=world.actor("devops"), repository="javascript:alert(1)")
    with pytest.raises(NotFound):
        actions.edit_application(world.application, actor=world.actor("outsider"), name="X")
    with pytest.raises(Forbidden):
        actions.edit_application(world.application, actor=world.actor("developer"), name="X")


def test_each_change_raises_the_revision(world: World) -> None:
    def revision() -> int:
        return Pipeline.objects.get(pk=world.pipeline.pk).revision

    seen = [revision()]
    devops = world.actor("devops")
    rule = actions.set_rule(world.phase("qa"), actor=devops, name="peer", role=world.role("qa-engineer"))
    seen.append(revision())
    actions.set_rule(world.phase("qa"), actor=devops, name="colleague", role=rule.role, count=2, rule=rule)
    seen.append(revision())
    actions.remove_rule(rule, actor=devops)
    seen.append(revision())
    actions.set_phase(Phase.objects.get(pk=world.phase("qa").pk), actor=devops, optional=True)
    seen.append(revision())
    assert seen == sorted(set(seen))
    verbs = list(Event.objects.filter(verb__startswith="rule.").order_by("id").values_list("verb", flat=True))
    assert verbs == ["rule.created", "rule.changed", "rule.removed"]


def test_rules_need_manage_access(world: World) -> None:
    rule = world.phase("live").rules.get(name="business")
    with pytest.raises(Forbidden):
        actions.remove_rule(rule, actor=world.actor("release-manager"))
    with pytest.raises(NotFound):
        actions.remove_rule(rule, actor=world.actor("outsider"))
    with pytest.raises(Invalid):
        actions.set_rule(
            world.phase("live"), actor=world.actor("devops"), name="none", role=world.role("devops"), count=0
        )


def test_a_role_that_a_rule_needs_stays(world: World) -> None:
    with pytest.raises(Conflict, match="business of Live"):
        actions.remove_role(world.role("business-owner"), actor=world.actor("admin"))
    with pytest.raises(Conflict, match="4 grants"):
        actions.remove_role(world.role("developer"), actor=world.actor("admin"))
    own = actions.create_role(actor=world.actor("admin"), name="Auditor", slug="auditor")
    actions.edit_role(own, actor=world.actor("admin"), meaning="Reads.")
    actions.remove_role(own, actor=world.actor("admin"))
    with pytest.raises(Forbidden):
        actions.create_role(actor=world.actor("devops"), name="X", slug="x")


def test_the_last_administrator_stays(world: World) -> None:
    with pytest.raises(Conflict, match="last administrator"):
        actions.edit_user(world.admin, actor=world.actor("admin"), is_superuser=False)
    second = actions.create_user(actor=world.actor("admin"), username="second", is_superuser=True)
    actions.edit_user(second, actor=world.actor("admin"), is_active=False)
    assert Event.objects.latest("id").detail == "The account second was switched off."
    with pytest.raises(Forbidden):
        actions.edit_user(second, actor=world.actor("devops"), is_superuser=False)
