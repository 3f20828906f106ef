"""The matrix of a pipeline: tried out and saved in one place, said in sentences first, each change audited."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from phases import actions, permissions
from phases.actions.matrix import access_of
from phases.models import Grant, RoleRight, Rule, User
from phases.permissions.changes import Plan, foresee
from phases.permissions.state import Edit, End, Join, Leave, NewRule, SetRule, Tick
from relman import clock
from relman.actors import Actor
from relman.audit.models import Event
from tests.phases.world import World

pytestmark = pytest.mark.django_db


class Page:
    """The page as a browser without scripts has it: what it holds is sent back, with what a person changes."""

    def __init__(self, world: World, who: str = "devops", query: str = "") -> None:
        self.client = Client()
        self.client.force_login(world.admin if who == "admin" else world.people[who])
        self.address = f"/admin/phases/pipeline/{world.pipeline.pk}/roles/"
        self.read(self.client.get(self.address + query))

    def read(self, response: Any) -> Page:
        self.response, self.text = response, response.content.decode()
        self.data: dict[str, list[str]] = {}
        for tag in re.findall(r"<input[^>]*>", self.text.partition('id="rmx-form"')[2]):
            name, value = _attribute(tag, "name"), _attribute(tag, "value")
            if 'type="checkbox"' not in tag or " checked" in tag:
                self.data.setdefault(name, []).append(value)
        for name, options in re.findall(r'<select name="([^"]+)">(.*?)</select>', self.text, re.DOTALL):
            chosen = re.findall(r'value="([^"]*)" selected', options) or re.findall(r'value="([^"]*)"', options)
            self.data[name] = chosen[:1]
        return self

    def tick(self, role: int, phase: int, right: str) -> Page:
        self.data.setdefault("r", []).append(f"{role}.{phase}.{right}")
        return self

    def clear(self, role: int, phase: int, right: str) -> Page:
        self.data["r"].remove(f"{role}.{phase}.{right}")
        return self

    def put(self, name: str, value: str) -> Page:
        self.data[name] = [value]
        return self

    def leave(self, name: str, role: str) -> Page:
        tag = next(tag for tag in re.findall(r"<input[^>]*>", self.text) if f'"Remove {name} from {role}"' in tag)
        self.data.setdefault("leave", []).append(_attribute(tag, "value"))
        return self

    def send(self, do: str = "review", **more: str) -> Page:
        return self.read(self.client.post(self.address, {**self.data, "do": do, **more}))

    def save(self, **more: str) -> Page:
        """Both steps: the review, then Save."""
        self.send()
        return self.send("save", **more)


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf'\s{name}="([^"]*)"', tag)
    return found[1].replace("&amp;", "&") if found else ""


def ids(world: World, role: str, phase: str) -> tuple[int, int]:
    return world.role(role).pk, world.phase(phase).pk


def foreseen(world: World, *edits: Edit, who: str = "devops") -> Plan:
    actor = world.actor(who, "admin")
    return foresee(access_of(world.pipeline, edits, actor=actor), edits, actor.user)


def said(plan: Plan) -> str:
    return " | ".join(f"{line.tone}: {line.head} {line.text}" for line in plan.lines)


def grants_of(world: World, role: str) -> tuple[int, ...]:
    return tuple(Grant.objects.filter(role__slug=role).order_by("phase__position").values_list("pk", flat=True))


# The page


def test_the_page_says_what_each_box_is_and_who_is_in_each_role(world: World) -> None:
    page = Page(world, query="?phase=qa")
    assert page.response.status_code == 200
    assert 'aria-label="Developer may promote in QA"' in page.text
    assert 'aria-label="Remove Devops from DevOps"' in page.text
    assert "may publish in Dev" in page.text and "may publish in Live" not in page.text
    assert "Business: 1 × Business owner" in page.text and "Can be met by 1 person" in page.text
    assert 'data-show="2"' in page.text


def test_two_steps_without_scripts_and_one_event_a_change(world: World) -> None:
    page = Page(world)
    page.tick(*ids(world, "developer", "stage"), "promote").put(f"who-{world.role('business-owner').pk}", "outsider")
    page.put(f"where-{world.role('business-owner').pk}", str(world.phase("live").pk)).send()
    assert not Grant.objects.filter(user=world.people["outsider"]).exists()
    assert "2 changes, not saved" in page.text
    assert "Developer may then promote into Stage." in page.text and "1 person gains it: Developer." in page.text
    assert "The rule business of Live can then be met by 2 people." in page.text
    newest = Event.objects.order_by("-id")[0].pk
    page.send("save")
    assert page.response.status_code == 302
    verbs = Event.objects.filter(pk__gt=newest, outcome="done").order_by("id").values_list("verb", flat=True)
    assert list(verbs) == ["grant.created", "role.rights_changed"]
    assert Grant.objects.get(user=world.people["outsider"]).phase == world.phase("live")
    assert permissions.can(world.actor("developer"), "promote", world.phase("stage"))
    then = page.client.get(page.address).content.decode()
    assert "Developer may now promote into Stage." in then and "outsider joins Business owner in Live." in then


def test_nothing_is_saved_that_was_not_read(world: World) -> None:
    page = Page(world).tick(*ids(world, "developer", "live"), "approve").send("save")
    assert page.response.status_code == 200 and "1 change, not saved" in page.text
    assert not RoleRight.objects.filter(role__slug="developer", phase__slug="live", right="approve").exists()


def test_undo_takes_one_change_back_and_keeps_the_rest(world: World) -> None:
    role, phase = ids(world, "developer", "live")
    page = Page(world).tick(role, phase, "approve").tick(role, phase, "open").send(undo=f"t.{role}.{phase}.approve")
    assert "1 change, not saved" in page.text and "open the addresses of Live" in page.text
    assert f"{role}.{phase}.approve" not in page.data["r"]


def test_a_name_that_nobody_has_is_said_beside_its_field(world: World) -> None:
    role = world.role("developer").pk
    page = Page(world).put(f"who-{role}", "Nemo").send("add")
    assert "Nobody here is called “Nemo”. Choose from the list." in page.text
    assert page.data[f"who-{role}"] == ["Nemo"]


def test_a_day_that_is_over_or_none_is_refused(world: World) -> None:
    role, page = world.role("developer").pk, Page(world)
    page.put(f"who-{role}", "outsider").put(f"until-{role}", "2001-01-01").send("add")
    assert "2001-01-01 is over." in page.text and "Nothing changed yet" in page.text
    page.put("join", f"{role}|u{world.people['outsider'].pk}|{world.phase('dev').pk}|2001-99-99").send("save")
    assert "is not a day" in page.text and not Grant.objects.filter(user=world.people["outsider"]).exists()


def test_what_is_so_already_is_said(world: World) -> None:
    role, live = world.role("developer").pk, world.phase("live").pk
    page = Page(world).put(f"who-{role}", "Developer (developer)").put(f"rname-{live}", "business").send("add")
    assert "Developer has the role Developer there already." in page.text
    assert "Live has a rule business already: change that one." in page.text


def test_rules_are_made_changed_and_removed(world: World) -> None:
    phase, rule = world.phase("stage"), Rule.objects.get(phase__slug="live", name="quality")
    page = Page(world).put(f"rname-{phase.pk}", "tested").put(f"rrole-{phase.pk}", str(world.role("qa-engineer").pk))
    page.put("drop", str(rule.pk)).save()
    assert page.response.status_code == 302
    assert Rule.objects.get(phase=phase).name == "tested"
    assert not Rule.objects.filter(pk=rule.pk).exists()


def test_a_new_end_is_the_last_day_on_which_a_role_counts(world: World) -> None:
    grants = "-".join(map(str, grants_of(world, "stakeholder")))
    day = (clock.now() + timedelta(days=30)).date()
    Page(world).put(f"end-{grants}", day.isoformat()).save()
    until = Grant.objects.get(role__slug="stakeholder", phase__slug="live").until
    assert until and until.date() == day + timedelta(days=1)
    assert f'value="{day.isoformat()}"' in Page(world).text


# Who may


@pytest.mark.parametrize("who", ["developer", "outsider", "release-manager"])
def test_who_manages_no_access_does_not_get_in(world: World, who: str) -> None:
    client = Client()
    client.force_login(world.people[who])
    address = f"/admin/phases/pipeline/{world.pipeline.pk}/roles/"
    for response in (client.get(address), client.post(address, {"do": "save"})):
        assert response.status_code in (302, 403, 404) and b"rmx-form" not in response.content


def test_of_another_team_it_is_as_if_it_were_not_there(world: World) -> None:
    other = actions.create_pipeline("demo-live", actor=world.actor("admin"), name="Bank", slug="bank")
    client = Client()
    client.force_login(world.people["devops"])
    for address in (f"/admin/phases/pipeline/{other.pk}/roles/", "/admin/phases/pipeline/bank/roles/"):
        assert client.get(address).status_code == 404
    assert client.get("/admin/phases/pipeline/shop/roles/").status_code == 200
    assert client.get("/admin/phases/pipeline/nothing/roles/").status_code == 404


def test_only_phases_that_one_manages_are_there_and_can_be_changed(world: World) -> None:
    permissions.set_role_rights(
        world.role("stakeholder"), world.phase("qa"), ["manage_access"], actor=page_actor(world)
    )
    narrow = Page(world, "stakeholder")
    assert "may view in QA" in narrow.text and "may view in Live" not in narrow.text
    role, live = ids(world, "stakeholder", "live")
    narrow.data["r"].append(f"{role}.{live}.approve")
    assert "Nothing changed yet" in narrow.send().text


def page_actor(world: World) -> Actor:
    return world.actor("admin", "admin")


# Refusals


def test_numbers_that_are_none_are_passed_over(world: World) -> None:
    long = "9" * 5000
    page = Page(world)
    page.put("revision", long).put("since", long).send("save", drop=long, rule=f"{long}|{long}|1|x")
    assert page.response.status_code == 409


def test_a_rule_that_nobody_could_meet_is_refused_here_and_by_the_server(world: World) -> None:
    page = Page(world).leave("Business-Owner", "Business owner").send()
    assert "Nobody can meet the rule business of Live" in page.text
    assert re.search(r'value="save" disabled', page.text)
    page.send("save")
    assert page.response.status_code == 409 and "Nothing was saved." in page.text
    assert Grant.objects.filter(role__slug="business-owner").count() == 4
    refused = Event.objects.filter(outcome="refused").latest("id")
    assert refused.verb == "access.changed" and "business of Live" in refused.detail


def test_one_person_can_be_replaced_by_another_in_one_go(world: World) -> None:
    page = Page(world).leave("Business-Owner", "Business owner")
    page.put(f"who-{world.role('business-owner').pk}", "outsider").save()
    assert page.response.status_code == 302
    assert [one.username for one in permissions.approvers(Rule.objects.get(name="business"))] == ["outsider"]


def test_if_somebody_else_was_faster_both_are_shown_and_nothing_is_saved(world: World) -> None:
    page = Page(world).tick(*ids(world, "developer", "stage"), "promote").send()
    live = world.phase("live")
    permissions.grant(world.role("developer"), live, actor=world.actor("admin"), user=world.people["outsider"])
    permissions.set_role_rights(world.role("stakeholder"), live, [], actor=world.actor("admin"))
    page.send("save")
    assert page.response.status_code == 409
    assert "outsider now has the role Developer for Live." in page.text
    assert "Stakeholder may no longer see in Live" in page.text or "Stakeholder may no longer view in Live" in page.text
    assert "Developer may then promote into Stage." in page.text
    assert not permissions.can(world.actor("developer"), "promote", world.phase("stage"))
    page.send("save")
    assert page.response.status_code == 302
    assert permissions.can(world.actor("developer"), "promote", world.phase("stage"))
    assert not RoleRight.objects.filter(role__slug="stakeholder", phase=live).exists(), "the other's change stays"


def test_losing_ones_own_access_is_asked_once_more(world: World) -> None:
    page = Page(world).clear(*ids(world, "devops", "live"), "manage_access")
    page.save()
    assert page.response.status_code == 200
    assert "You lose the right to manage access in Live." in page.text and "then save again" in page.text
    assert permissions.can(world.actor("devops"), "manage_access", world.phase("live"))
    page.send("save", sure="1")
    assert page.response.status_code == 302
    assert not permissions.can(world.actor("devops"), "manage_access", world.phase("live"))


def test_one_can_leave_altogether(world: World) -> None:
    page = Page(world).leave("Devops", "DevOps").send().send("save", sure="1")
    assert page.response.status_code == 302
    assert not Grant.objects.filter(role__slug="devops").exists()


def test_one_can_give_up_both_the_role_and_its_box_in_one_save(world: World) -> None:
    page = Page(world).leave("Devops", "DevOps").clear(*ids(world, "devops", "live"), "manage_access")
    page.send().send("save", sure="1")
    assert page.response.status_code == 302
    assert not Grant.objects.filter(role__slug="devops").exists()
    assert not world.role("devops").rights.filter(phase=world.phase("live"), right="manage_access").exists()


def test_one_can_give_up_two_roles_that_both_manage_access(world: World) -> None:
    group = Group.objects.create(name="Keepers")
    group.user_set.add(world.people["devops"])
    for phase in world.pipeline.phases.all():
        permissions.grant(world.role("developer"), phase, actor=world.actor("admin"), group=group)
        had = permissions.set_role_rights(world.role("developer"), phase, ["manage_access"], actor=world.actor("admin"))
        assert "manage_access" in had
    page = Page(world).leave("Keepers", "Developer").leave("Devops", "DevOps")
    page.send().send("save", sure="1")
    assert page.response.status_code == 302
    assert not Grant.objects.filter(role__slug="devops").exists() and not Grant.objects.filter(group=group).exists()


# Sentences


def test_who_keeps_a_right_by_another_role_is_not_counted(world: World) -> None:
    live = world.phase("live")
    permissions.grant(world.role("devops"), live, actor=world.actor("admin"), user=world.people["release-manager"])
    role, phase = ids(world, "release-manager", "live")
    plan = foreseen(world, Tick(role, phase, "freeze", on=False), Tick(role, phase, "promote", on=False))
    assert "Nobody loses it: who has this role keeps it through another one." in said(plan)
    assert "1 person loses it at once: Release-Manager." in said(plan)
    leave = foreseen(world, Leave(grants_of(world, "release-manager")[-1:]))
    assert "Loses promote, break glass in Live." in said(leave)


def test_warnings_come_first_and_name_who_is_left(world: World) -> None:
    outsider = world.people["outsider"]
    permissions.grant(world.role("business-owner"), world.phase("live"), actor=world.actor("admin"), user=outsider)
    grant = Grant.objects.get(user=outsider)
    plan = foreseen(world, Tick(*ids(world, "developer", "stage"), "promote", on=True), Leave((grant.pk,)))
    assert plan.lines[0].tone == "warn" and not plan.blocked
    assert "while Business-Owner is away or asked for the promotion, nothing can go to Live" in plan.lines[0].text


def test_what_one_gives_to_oneself_counts_for_no_approval(world: World) -> None:
    plan = foreseen(world, Join(*_in(world, "business-owner", "live"), world.people["devops"]))
    assert "You give this to yourself" in said(plan) and "can then be met" not in said(plan)


def _in(world: World, role: str, *phases: str) -> tuple[int, tuple[int, ...]]:
    return world.role(role).pk, tuple(world.phase(phase).pk for phase in phases)


def test_a_group_counts_by_its_people(world: World) -> None:
    actor = world.actor("admin")
    group = actions.create_group(
        actor=actor, name="Buyers", members=[world.people["outsider"], world.people["developer"]]
    )
    plan = foreseen(world, Join(*_in(world, "business-owner", "live"), group))
    assert "The group Buyers joins Business owner in Live." in said(plan)
    assert "The rule business of Live can then be met by 3 people." in said(plan)


def test_an_end_that_leaves_a_rule_to_nobody_is_said(world: World) -> None:
    plan = foreseen(world, End(grants_of(world, "business-owner"), clock.now() + timedelta(days=10)))
    assert not plan.blocked and plan.lines[0].tone == "warn"
    assert "Nobody can meet the rule business of Live" in plan.lines[0].text


def test_view_stays_while_another_right_needs_it(world: World) -> None:
    plan = foreseen(world, Tick(*ids(world, "developer", "dev"), "view", on=False))
    assert plan.edits == () and plan.notes == ("Developer keeps View in Dev: the other rights there need it.",)


def test_the_preview_is_what_comes(world: World) -> None:
    """The pure answer and the database's agree after saving."""
    rule = Rule.objects.get(phase__slug="live", name="quality")
    actor = world.actor("devops", "admin")
    edits: list[Edit] = [
        Join(*_in(world, "qa-engineer", "live", "stage"), world.people["developer"]),
        Leave(grants_of(world, "release-manager")),
        SetRule(rule.pk, world.role("qa-engineer").pk, 2),
        NewRule(world.phase("qa").pk, "tested", world.role("qa-engineer").pk, 1),
        Tick(*ids(world, "stakeholder", "live"), "open", on=True),
    ]
    plan = foreseen(world, *edits)
    from phases.actions.matrix import change_access

    world.pipeline.refresh_from_db()
    change_access(world.pipeline, edits, actor=actor, revision=world.pipeline.revision, seal=plan.seal)
    now = access_of(world.pipeline, (), actor=world.actor("devops"))
    assert now.boxes == plan.after.boxes
    assert {key: rights for key, rights in now.rights().items() if rights} == {
        key: rights for key, rights in plan.after.rights().items() if rights
    }
    for phase in now.phases:
        counted = {who: frozenset(roles) for who, roles in plan.after.counting(phase.pk).items()}
        assert permissions.approver_roles(phase) == counted
    assert permissions.unmeetable_rules(world.phase("live")) == []


# Cost


def test_the_number_of_queries_does_not_follow_the_number_of_people(world: World) -> None:
    def count() -> int:
        with CaptureQueriesContext(
            connection,
        ) as found:
            assert page.client.get(page.address).status_code == 200
        return len(found)

    page = Page(world)
    few = count()
    group = Group.objects.create(name="many")
    people = User.objects.bulk_create([User(username=f"p{number}", name=f"P {number}") for number in range(60)])
    group.user_set.set(people)
    actor = world.actor("admin")
    permissions.grant(world.role("developer"), world.phase("dev"), actor=actor, group=group)
    for person in people[:20]:
        for phase in ("dev", "qa"):
            permissions.grant(world.role("developer"), world.phase(phase), actor=actor, user=person)
    many = count()
    assert many <= few + 1, "the members of groups are one query more"
    assert few < 30
