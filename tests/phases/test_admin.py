"""Django's admin: every change is a verb, refusals are messages, and one manages only where one may."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from phases import actions, permissions
from phases.models import Application, Environment, Grant, Phase, Pipeline, Role, RoleRight, Rule, User
from relman import clock
from relman.actors import Actor
from relman.audit.models import Event
from tests.phases.world import World

pytestmark = pytest.mark.django_db
PAGES = (
    "phases_role",
    "phases_grant",
    "phases_rule",
    "phases_user",
    "auth_group",
    "phases_pipeline",
    "phases_phase",
    "phases_application",
    "phases_environment",
    "releases_release",
    "releases_promotion",
    "audit_event",
)


def signed_in(world: World, name: str) -> Client:
    client = Client()
    client.force_login(world.admin if name == "admin" else world.people[name])
    return client


@pytest.fixture
def admin(world: World) -> Client:
    return signed_in(world, "admin")


def post(client: Client, page: str, data: dict[str, Any], *args: Any) -> Any:
    """Send a form as the browser does; the messages and the response."""
    response = client.post(reverse(f"admin:{page}", args=args), data)
    said = [str(one) for one in get_messages(response.wsgi_request)]
    client.cookies.pop("messages", None)
    return response, said


def no_rows(**totals: int) -> dict[str, Any]:
    """The management form of an empty inline."""
    return {"grants-TOTAL_FORMS": 0, "grants-INITIAL_FORMS": 0, **totals}


@pytest.mark.parametrize("who", ["admin", "devops"])
def test_every_page_opens_for_who_may_enter(world: World, who: str) -> None:
    client = signed_in(world, who)
    world.environment("qa")
    assert client.get(reverse("admin:index")).status_code == 200
    for page in PAGES:
        assert client.get(reverse(f"admin:{page}_changelist")).status_code == 200, page


@pytest.mark.parametrize("model", [Role, Grant, Rule, User, Pipeline, Phase, Application, Environment, Event])
@pytest.mark.parametrize("who", ["admin", "devops"])
def test_every_object_opens(world: World, who: str, model: Any) -> None:
    world.environment("qa")
    row = model.objects.order_by("pk").first()
    page = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert signed_in(world, who).get(reverse(f"{page}_change", args=[row.pk])).status_code == 200


@pytest.mark.parametrize("page", ["role", "grant", "rule", "user", "pipeline", "phase", "application", "environment"])
def test_every_form_for_something_new_opens(admin: Client, page: str) -> None:
    assert admin.get(reverse(f"admin:phases_{page}_add")).status_code == 200


@pytest.mark.parametrize("who", ["developer", "release-manager", "outsider"])
def test_others_do_not_enter(world: World, who: str) -> None:
    client = signed_in(world, who)
    for name in ("admin:index", "admin:phases_grant_changelist"):
        response = client.get(reverse(name))
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("admin:login"))
    assert client.get(reverse("admin:login"))["Location"] == reverse("board")
    response, _ = post(client, "phases_grant_add", {})
    assert response.status_code == 302
    assert not Grant.objects.filter(granted_by=world.people[who]).exists()


def test_who_is_not_signed_in_goes_to_the_sign_in(world: World) -> None:
    response = Client().get(reverse("admin:index"), follow=False)
    assert response.status_code == 302
    response = Client().get(response["Location"])
    assert response["Location"].startswith(reverse("signin"))


def test_a_role_is_granted_in_one_phase(world: World, admin: Client) -> None:
    outsider, live = world.people["outsider"], world.phase("live")
    response, said = post(
        admin,
        "phases_grant_add",
        {"user": outsider.pk, "role": world.role("developer").pk, "phase": live.pk, "group": "", "pipeline": ""},
    )
    assert response.status_code == 302
    assert said == ["outsider now has the role Developer for Live."]
    assert permissions.can(world.actor("outsider"), "view", live), "from the next request on"
    event = Event.objects.latest("id")
    assert (event.verb, event.via, event.actor_name) == ("grant.created", "admin", "admin")


def test_a_pipeline_without_a_phase_means_all_of_them(world: World, admin: Client) -> None:
    outsider = world.people["outsider"]
    data = {"user": outsider.pk, "role": world.role("developer").pk, "pipeline": world.pipeline.pk}
    _, said = post(admin, "phases_grant_add", data)
    assert Grant.objects.filter(user=outsider).count() == 4
    assert said[0].count("outsider now has the role Developer") == 4


@pytest.mark.parametrize("wrong", [{}, {"pipeline": ""}, {"user": ""}, {"until_0": "2001-01-01", "until_1": "00:00"}])
def test_a_wrong_grant_is_shown_on_the_form(world: World, admin: Client, wrong: dict[str, Any]) -> None:
    outsider, count = world.people["outsider"], Grant.objects.count()
    group = Group.objects.create(name="Testers")
    data = {"user": outsider.pk, "role": world.role("developer").pk, "pipeline": world.pipeline.pk, **wrong}
    if not wrong:
        data["group"] = group.pk
    response, _ = post(admin, "phases_grant_add", data)
    assert response.status_code == 200 and b"errorlist" in response.content
    assert Grant.objects.count() == count


def test_the_end_of_a_grant_changes(world: World, admin: Client) -> None:
    given = world.grant_of("business-owner", "live")
    end = clock.now() + timedelta(days=30)
    response, said = post(
        admin, "phases_grant_change", {"until_0": f"{end:%Y-%m-%d}", "until_1": f"{end:%H:%M:%S}"}, given.pk
    )
    assert response.status_code == 302
    assert "now ends" in said[-1] or "now ends" in said[0]
    assert any("Nobody can meet the rule business" in one for one in said), "the end is foreseen"
    given.refresh_from_db()
    assert given.until is not None


def test_taking_a_needed_role_away_is_refused_and_named(world: World, admin: Client) -> None:
    given = world.grant_of("business-owner", "live")
    _, said = post(admin, "phases_grant_delete", {"post": "yes"}, given.pk)
    assert "Nobody can meet the rule business of Live" in said[0]
    assert Grant.objects.filter(pk=given.pk).exists()
    assert Event.objects.latest("id").outcome == "refused"
    other = world.grant_of("developer", "live")
    _, said = post(admin, "phases_grant_delete", {"post": "yes"}, other.pk)
    assert said == ["Developer no longer has the role Developer for Live."]
    assert not Grant.objects.filter(pk=other.pk).exists()


def boxes(role: Role, **changed: list[str]) -> dict[str, Any]:
    """The boxes of a role's form as they are saved, with some changed."""
    data: dict[str, Any] = {"name": role.name, "slug": role.slug, "meaning": role.meaning}
    for phase in Phase.objects.all():
        rights = RoleRight.objects.filter(role=role, phase=phase).values_list("right", flat=True)
        data[f"rights_{phase.pk}"] = changed.get(phase.slug, list(rights))
    return data


def test_a_role_gets_a_right(world: World, admin: Client) -> None:
    role = world.role("developer")
    response, said = post(admin, "phases_role_change", {**boxes(role, stage=["view", "promote"]), **no_rows()}, role.pk)
    assert response.status_code == 302, response.context["errors"]
    assert said == ["Developer may now promote in Stage."]
    assert permissions.can(world.actor("developer"), "promote", world.phase("stage"))
    response, said = post(admin, "phases_role_change", {**boxes(role), **no_rows()}, role.pk)
    assert said == ["Nothing was different: nothing was changed."]


def test_a_right_that_a_rule_needs_stays(world: World, admin: Client) -> None:
    role = world.role("business-owner")
    response, _ = post(admin, "phases_role_change", {**boxes(role, live=["view"]), **no_rows()}, role.pk)
    assert response.status_code == 200
    assert "does not have the right approve" in response.content.decode()
    assert RoleRight.objects.filter(role=role, phase=world.phase("live"), right="approve").exists()
    assert Event.objects.latest("id").outcome == "refused"


def test_people_get_a_role_on_the_roles_page(world: World, admin: Client) -> None:
    role, outsider, live = world.role("developer"), world.people["outsider"], world.phase("live")
    rows = {
        "grants-TOTAL_FORMS": 1,
        "grants-INITIAL_FORMS": 0,
        "grants-0-user": outsider.pk,
        "grants-0-group": "",
        "grants-0-phase": live.pk,
        "grants-0-role": role.pk,
    }
    response, said = post(admin, "phases_role_change", {**boxes(role), **rows}, role.pk)
    assert response.status_code == 302, response.context["errors"]
    assert said == ["outsider now has the role Developer for Live."]
    page = admin.get(reverse("admin:phases_role_change", args=[role.pk])).content.decode()
    assert 'aria-label="Person, row 1"' in page
    given = Grant.objects.get(user=outsider)
    own = list(Grant.objects.filter(role=role).order_by("phase__position", "id"))
    rows = {"grants-TOTAL_FORMS": len(own), "grants-INITIAL_FORMS": len(own)}
    for number, one in enumerate(own):
        rows |= {f"grants-{number}-id": one.pk, f"grants-{number}-role": role.pk}
        if one.pk == given.pk:
            rows[f"grants-{number}-DELETE"] = "on"
    response, said = post(admin, "phases_role_change", {**boxes(role), **rows}, role.pk)
    assert said == ["outsider no longer has the role Developer for Live."]


def test_a_role_is_made_and_removed_by_an_administrator(world: World, admin: Client) -> None:
    data = {"name": "Auditor", "slug": "auditor", "meaning": "Reads.", **no_rows()}
    data[f"rights_{world.phase('live').pk}"] = ["view"]
    _, said = post(admin, "phases_role_add", data)
    assert said == ["The role Auditor was created. Auditor may now view in Live."]
    role = world.role("auditor")
    _, said = post(admin, "phases_role_delete", {"post": "yes"}, role.pk)
    assert said == ["The role Auditor was removed."]
    _, said = post(admin, "phases_role_delete", {"post": "yes"}, world.role("business-owner").pk)
    assert "is needed by the rules business of Live" in said[0]


def test_rules_are_set_by_their_verb(world: World, admin: Client) -> None:
    stage, role = world.phase("stage"), world.role("qa-engineer")
    data = {"phase": stage.pk, "name": "peer", "role": role.pk, "count": 2, "deadline_hours": 24}
    response, _ = post(admin, "phases_rule_add", data)
    assert "needs 2 × QA engineer" in response.content.decode()
    response, _ = post(admin, "phases_rule_add", {**data, "count": 1, "deadline_hours": 2_000_000_000})
    assert "At most 87840 hours" in response.content.decode()
    _, said = post(admin, "phases_rule_add", {**data, "count": 1})
    assert said == ["The rule peer of Stage needs 1 × QA engineer."]
    rule = Rule.objects.get(name="peer")
    _, said = post(admin, "phases_rule_change", {**data, "count": 1, "deadline_hours": 48}, rule.pk)
    rule.refresh_from_db()
    assert rule.deadline_hours == 48
    _, said = post(admin, "phases_rule_delete", {"post": "yes"}, rule.pk)
    assert said == ["Stage no longer has the rule peer."]


def test_accounts_are_made_switched_off_and_never_deleted(world: World, admin: Client) -> None:
    data = {"username": "nils", "name": "Nils Aalto", "usable_password": "true"}
    data |= {"password1": "a long enough word", "password2": "a long enough word"}
    response, said = post(admin, "phases_user_add", data)
    assert said == ["The account nils was created."], response.context["errors"]
    nils = User.objects.get(username="nils")
    assert nils.check_password("a long enough word") and not nils.is_staff
    response, said = post(admin, "phases_user_change", {"username": "nils", "name": "Nils"}, nils.pk)
    assert said == ["The account nils was switched off."]
    assert admin.get(reverse("admin:phases_user_delete", args=[nils.pk])).status_code == 403
    response, _ = post(admin, "phases_user_change", {"username": "admin", "is_active": "on"}, world.admin.pk)
    assert "last administrator" in response.content.decode()
    data = {"password1": "another long word", "password2": "another long word", "set-password": "1"}
    admin.post(reverse("admin:auth_user_password_change", args=[nils.pk]), {**data, "usable_password": "true"})
    event = Event.objects.latest("id")
    assert event.verb == "user.password_set" and "another" not in str(vars(event))


def test_groups_have_members(world: World, admin: Client) -> None:
    outsider = world.people["outsider"]
    _, said = post(admin, "auth_group_add", {"name": "Testers", "members": [outsider.pk]})
    assert said == ["The group Testers was created. The group Testers: outsider joined."]
    group = Group.objects.get()
    _, said = post(admin, "auth_group_change", {"members": []}, group.pk)
    assert said == ["The group Testers: outsider left."]
    _, said = post(admin, "auth_group_delete", {"post": "yes"}, group.pk)
    assert said == ["The group Testers was removed."]


def test_pipelines_phases_and_applications(world: World, admin: Client) -> None:
    data = {"name": "Web", "slug": "web", "template": "demo-live"}
    _, said = post(admin, "phases_pipeline_add", data)
    assert said == ["The pipeline Web was created: Demo → Live."]
    web = Pipeline.objects.get(slug="web")
    _, said = post(admin, "phases_phase_add", {"pipeline": web.pk, "name": "UAT", "slug": "uat", "place": 2})
    assert said[0] == "The phase UAT was added to Web."
    uat = web.phases.get(slug="uat")
    _, said = post(admin, "phases_phase_change", {"name": "UAT", "slug": "uat", "public": "on", "place": 1}, uat.pk)
    assert "now open to everybody" in said[0]
    assert permissions.first_phase(web) == uat
    _, said = post(admin, "phases_phase_delete", {"post": "yes"}, uat.pk)
    assert said == ["The phase UAT was removed from Web."]
    response, _ = post(admin, "phases_application_add", {"pipeline": web.pk, "name": "Site", "slug": "admin"})
    assert "own addresses need" in response.content.decode()
    _, said = post(admin, "phases_application_add", {"pipeline": web.pk, "name": "Site", "slug": "site"})
    assert said == ["The application Site was created on the pipeline Web."]


def components(**more: Any) -> dict[str, Any]:
    return {"components-TOTAL_FORMS": 0, "components-INITIAL_FORMS": 0, **more}


def test_an_administrator_configures_only_by_grant(world: World, admin: Client) -> None:
    data = {"application": world.application.pk, "phase": world.phase("qa").pk, "driver": "scripted"}
    data |= {"instances": 1, "settings": "{}"}
    response, _ = post(admin, "phases_environment_add", data)
    assert "You may not change infrastructure and configuration of QA. Who may: DevOps." in response.content.decode()
    _, said = post(signed_in(world, "devops"), "phases_environment_add", data)
    assert said == ["Till now has an environment in QA."]


def test_configuration_is_set_and_secrets_never_come_out(world: World) -> None:
    devops, environment = signed_in(world, "devops"), world.environment("qa")
    data = components(instances=2, settings="{}", plain="GREETING=Hello = you\nA=1", secrets="KEY=hunter2hunter2")
    response, _ = post(devops, "phases_environment_change", data, environment.pk)
    assert response.status_code == 302, response.context["errors"]
    page = devops.get(reverse("admin:phases_environment_change", args=[environment.pk])).content.decode()
    assert "GREETING=Hello = you" in page and "hunter2" not in page and "KEY (version 1)" in page
    data = components(instances=2, settings="{}", plain="A=1", secrets="-KEY")
    post(devops, "phases_environment_change", data, environment.pk)
    assert list(environment.variables.values_list("key", flat=True)) == ["A"]
    data = components(instances=2, settings='{"verify": "often"}', plain="A=2", secrets="")
    response, _ = post(devops, "phases_environment_change", data, environment.pk)
    assert "“verify” is a mapping" in response.content.decode()
    data = components(instances=2, settings="{}", plain="PORT=1", secrets="")
    response, _ = post(devops, "phases_environment_change", data, environment.pk)
    assert "RelMan sets PORT" in response.content.decode()
    assert list(environment.variables.values_list("key", flat=True)) == ["A"]


@pytest.fixture
def other(world: World) -> Pipeline:
    """Another team's pipeline, which DevOps of Shop has nothing to do with."""
    actor = Actor(world.admin, "admin")
    made = actions.create_pipeline("demo-live", actor=actor, name="Secret", slug="secret")
    actions.create_application(made, actor=actor, name="Hidden", slug="hidden")
    actions.grant(world.role("developer"), made.phases.all()[0], actor=actor, user=world.people["developer"])
    return made


def test_who_manages_one_pipeline_sees_nothing_of_another(world: World, other: Pipeline) -> None:
    devops = signed_in(world, "devops")
    for page in PAGES:
        shown = devops.get(reverse(f"admin:{page}_changelist")).content.decode()
        assert "Secret" not in shown and "Hidden" not in shown, page
    role = world.role("developer")
    shown = devops.get(reverse("admin:phases_role_change", args=[role.pk])).content.decode()
    assert "Secret" not in shown
    for model in (Grant, Rule, Phase):
        filters = {"phase__pipeline": other} if model is not Phase else {"pipeline": other}
        row = model.objects.filter(**filters).first()
        assert row is not None
        response = devops.get(reverse(f"admin:phases_{model._meta.model_name}_change", args=[row.pk]))
        assert response.status_code == 302


def test_who_manages_one_pipeline_changes_nothing_of_another(world: World, other: Pipeline) -> None:
    devops, role = signed_in(world, "devops"), world.role("developer")
    demo = other.phases.all()[0]
    count = Grant.objects.count()
    outsider = world.people["outsider"]
    for data in ({"phase": demo.pk}, {"pipeline": other.pk}):
        response, _ = post(devops, "phases_grant_add", {"user": outsider.pk, "role": role.pk, **data})
        assert response.status_code == 200
    data = {**boxes(role, demo=["manage_access"]), **no_rows()}
    post(devops, "phases_role_change", data, role.pk)
    assert not RoleRight.objects.filter(role=role, phase=demo, right="manage_access").exists()
    rows = {"grants-TOTAL_FORMS": 1, "grants-INITIAL_FORMS": 0, "grants-0-user": outsider.pk}
    rows |= {"grants-0-phase": demo.pk, "grants-0-role": role.pk}
    post(devops, "phases_role_change", {**boxes(role), **rows}, role.pk)
    assert Grant.objects.count() == count


def test_who_manages_access_makes_nobody_an_administrator(world: World) -> None:
    devops, outsider = signed_in(world, "devops"), world.people["outsider"]
    response, _ = post(devops, "phases_user_change", {"username": "outsider", "is_superuser": "on"}, outsider.pk)
    assert response.status_code == 403
    for page in ("phases_user_add", "auth_group_add", "phases_role_add", "phases_pipeline_add"):
        assert devops.get(reverse(f"admin:{page}")).status_code == 403, page
    shown = devops.get(reverse("admin:phases_user_change", args=[outsider.pk])).content.decode()
    assert "is_superuser" not in shown and "Email" not in shown


@pytest.mark.parametrize("who", ["admin", "devops"])
@pytest.mark.parametrize(
    "question",
    [
        "phases_user_changelist?email__startswith=a",
        "phases_user_changelist?password__startswith=p",
        "phases_user_changelist?phaseuserpermission__id=1",
        "phases_grant_changelist?role__grants__user__password__startswith=p",
        "releases_promotion_changelist?snapshot__icontains=x",
        "audit_event_changelist?digest__startswith=a",
    ],
)
def test_a_list_answers_only_the_filters_that_it_shows(world: World, who: str, question: str) -> None:
    page, _, query = question.partition("?")
    assert signed_in(world, who).get(f"{reverse(f'admin:{page}')}?{query}").status_code == 400


def test_the_filters_that_a_list_shows_work(world: World, admin: Client) -> None:
    for page in PAGES:
        shown = admin.get(reverse(f"admin:{page}_changelist"))
        for link in set(re.findall(r'href="(\?[a-z_]+__?[a-z_]+=[^"]*)"', shown.content.decode())):
            there = admin.get(reverse(f"admin:{page}_changelist") + link.replace("&amp;", "&"))
            assert there.status_code == 200, (page, link)
    assert admin.get(f"{reverse('admin:phases_user_changelist')}?is_superuser__exact=1").status_code == 200
    devops = signed_in(world, "devops")
    assert devops.get(f"{reverse('admin:phases_user_changelist')}?is_superuser__exact=1").status_code == 400


def test_the_right_to_enter_ends_with_the_grant(world: World) -> None:
    devops = signed_in(world, "devops")
    assert devops.get(reverse("admin:index")).status_code == 200
    for given in Grant.objects.filter(user=world.people["devops"]):
        actions.revoke(given, actor=Actor(world.admin, "admin"))
    assert devops.get(reverse("admin:index")).status_code == 302
    User.objects.filter(username="devops").update(is_staff=True)
    assert devops.get(reverse("admin:index")).status_code == 302, "the flag alone opens nothing"
    assert devops.get(reverse("admin:login"))["Location"] == reverse("board")


@pytest.mark.parametrize("page", ["releases_release", "releases_promotion", "audit_event"])
def test_releases_promotions_and_the_record_are_read_only(admin: Client, page: str) -> None:
    assert admin.get(reverse(f"admin:{page}_add")).status_code == 403
    event = Event.objects.order_by("id").first()
    assert event is not None
    if page == "audit_event":
        assert admin.post(reverse(f"admin:{page}_change", args=[event.pk]), {"verb": "x"}).status_code == 403
        assert admin.post(reverse(f"admin:{page}_delete", args=[event.pk]), {"post": "yes"}).status_code == 403


def test_nothing_is_deleted_in_bulk_past_the_verbs(world: World, admin: Client) -> None:
    count = Grant.objects.count()
    chosen = list(Grant.objects.values_list("pk", flat=True))
    data = {"action": "delete_selected", "_selected_action": chosen, "post": "yes"}
    admin.post(reverse("admin:phases_grant_changelist"), data)
    assert Grant.objects.count() == count


def test_a_token_is_revoked_and_never_shown(world: World, admin: Client) -> None:
    token, raw = actions.issue_token(world.people["developer"], actor=world.actor("developer"), name="ci")
    page = admin.get(reverse("admin:phases_token_change", args=[token.pk])).content.decode()
    assert token.digest not in page and raw not in page
    data = {"action": "revoke", "_selected_action": [token.pk]}
    admin.post(reverse("admin:phases_token_changelist"), data)
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_the_history_of_an_object_is_the_record(world: World, admin: Client) -> None:
    role = world.role("developer")
    response = admin.get(reverse("admin:phases_role_history", args=[role.pk]), follow=True)
    assert response.status_code == 200
    assert response.redirect_chain[-1][0].endswith(f"subject_type=role&subject_id={role.pk}")
    for nobody in ("x", "9" * 30, str(role.pk + 1000)):
        assert admin.get(f"/admin/phases/role/{nobody}/history/").status_code == 404


def test_of_a_pipeline_one_finds_the_phases_that_one_sees(world: World, admin: Client) -> None:
    actor, outsider, dev = Actor(world.admin, "admin"), world.people["outsider"], world.phase("dev")
    keeper = actions.create_role(actor=actor, name="Keeper", slug="keeper")
    actions.set_role_rights(keeper, dev, ["manage_access"], actor=actor)
    actions.grant(keeper, dev, actor=actor, user=outsider)
    pages = [reverse("admin:phases_pipeline_changelist"), f"/admin/phases/pipeline/{world.pipeline.pk}/change/"]
    for page in pages:
        shown = signed_in(world, "outsider").get(page).content.decode()
        assert "Shop" in shown and "Stage" not in shown and "Live" not in shown
    assert re.search(r'field-phase_count">1<', signed_in(world, "outsider").get(pages[0]).content.decode())
    assert re.search(r'field-phase_count">4<', admin.get(pages[0]).content.decode())


def test_a_longer_list_of_grants_costs_no_more_queries(world: World, django_assert_max_num_queries: Any) -> None:
    admin, outsider = signed_in(world, "admin"), world.people["outsider"]
    admin.get(reverse("admin:phases_grant_changelist"))
    actor = Actor(world.admin, "admin")
    for role in ("developer", "stakeholder", "devops"):
        for phase in world.pipeline.phases.all():
            actions.grant(world.role(role), phase, actor=actor, user=outsider)
    for page, most in (("phases_grant", 12), ("phases_role", 10)):
        with django_assert_max_num_queries(most):
            admin.get(reverse(f"admin:{page}_changelist"))


def test_the_first_page_leads_to_the_roles_of_the_pipelines_one_manages(world: World, admin: Client) -> None:
    actions.create_pipeline("demo-live", actor=Actor(world.admin, "admin"), name="Bakery", slug="bakery")
    theirs, everything = (one.get("/admin/").content.decode() for one in (signed_in(world, "devops"), admin))
    way = reverse("admin:phases_pipeline_roles", args=[world.pipeline.pk])
    assert way in theirs and way in everything
    assert "Roles of Bakery" in everything and "Bakery" not in theirs
    assert everything.index(way) < everything.index(reverse("admin:phases_grant_changelist"))


def test_a_persons_page_says_which_roles_they_have_where_the_reader_manages_access(world: World, admin: Client) -> None:
    actor, person = Actor(world.admin, "admin"), world.people["developer"]
    made = actions.create_pipeline("demo-live", actor=actor, name="Bakery", slug="bakery")
    actions.grant(world.role("stakeholder"), made.phases.all()[0], actor=actor, user=person)
    address = reverse("admin:phases_user_change", args=[person.pk])
    theirs, everything = (one.get(address).content.decode() for one in (signed_in(world, "devops"), admin))
    assert "Stakeholder in Bakery" in everything and "Bakery" not in theirs
    assert f"Developer in {world.pipeline.name}" in theirs and f"?user={person.pk}" in theirs
