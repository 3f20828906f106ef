"""The board: what is where, what happens next, and who sees which rows."""

from __future__ import annotations

import sys

import pytest
from django.contrib.auth.models import Group
from django.utils.timezone import localtime

from phases import actions as places
from phases.models import Environment, Role
from releases import actions, gates, queries
from releases.engine import lease
from releases.queries.courses import candidate, load
from releases.queries.next import facts
from releases.queries.offers import preview
from relman.actors import Actor
from relman.words import WEEKDAYS
from tests import factories


def tiles(shop, role="release-manager"):
    row = queries.row(shop.actor(role), shop.application)
    return {tile.phase.slug: tile for tile in row.tiles}, row


def script(shop, phase, **settings):
    """From now on, this environment's target behaves so."""
    devops, environment = shop.actor("devops"), shop.environments[phase]
    places.edit_environment(environment, actor=devops, settings={**factories.SCRIPT, **settings})
    places.check_environment(environment, actor=devops)


def test_nothing_yet(shop):
    board = queries.board(shop.actor("ci-robot"))
    assert board.counts == {
        "all": 1, "person": 0, "motion": 0, "blocked": 0, "scheduled": 0, "ready": 0, "current": 1,
    }  # fmt: skip
    row = board.groups[0].rows[0]
    assert row.next.action and board.first_run
    assert (row.next.kind, row.next.text, row.next.action.kind) == ("none", "No release yet", "publish")
    assert [tile.version for tile in row.tiles] == [None] * 4
    assert board.first_run.may_publish
    assert "Shop-Release-Manager" in {one.name.replace(" ", "-") for one in board.first_run.publishers}
    assert [step.done for step in board.first_run.steps] == [True, True, True, True, False, False, False]
    assert board.first_run.steps[4].command == "relman publish shop ./dist.tar.gz"


def test_the_first_steps_lead_whoever_may_take_them(db):
    nobody, admin = factories.person(), factories.administrator()
    assert queries.board(nobody).first_run is None
    todo = queries.board(admin).first_run
    assert todo and [one.url for step in todo.steps for one in step.actions] == ["/pipelines/new/"]
    assert (todo.done, todo.todo) == (0, todo.steps[0])
    pipeline = places.create_pipeline("dev-qa-stage-live", actor=admin, name="Shop", slug="shop")
    application = places.create_application(pipeline, actor=factories.administrator(), name="Basket", slug="basket")
    todo = queries.board(factories.administrator()).first_run
    assert todo and todo.roles == f"/admin/phases/pipeline/{pipeline.pk}/roles/"
    assert [one.url for step in todo.steps for one in step.actions] == [todo.roles]
    assert any("Nobody can meet the rule business of Live" in one for one in todo.lonely)
    devops = factories.person()
    for phase in pipeline.phases.all():
        places.grant(Role.objects.get(slug="devops"), phase, actor=factories.administrator(), user=devops.user)
    todo = queries.board(Actor(devops.user, "page")).first_run
    assert todo and f"/apps/{application.slug}/dev/new/" in [one.url for step in todo.steps for one in step.actions]


def test_a_published_release_can_go_to_the_first_phase(shop):
    shop.release()
    _, row = tiles(shop, "developer")
    assert (row.next.text, row.state) == ("**1.0.0** can go to **Dev**", "ready")
    assert row.next.action.url == "/apps/shop/dev/promote/?version=1.0.0"


def test_whoever_may_not_promote_gets_no_button(shop):
    shop.release()
    _, row = tiles(shop, "devops")
    assert row.next.kind == "ready" and row.next.action is None


def test_tiles_say_what_is_live_and_join(shop):
    shop.bring(shop.release(), "dev", "qa")
    found, row = tiles(shop)
    assert (found["dev"].version, found["qa"].version, found["stage"].version) == ("1.0.0", "1.0.0", None)
    assert found["dev"].joins_next and found["qa"].joins_previous and not found["qa"].joins_next
    assert not found["dev"].ahead and found["qa"].ahead
    assert row.next.text == "**1.0.0** can go to **Stage**"


def test_waits_for_you_and_the_other(shop):
    release = shop.release()
    shop.bring(release, "dev", "qa", "stage")
    promotion = shop.ask(release, "live")
    found, row = tiles(shop, "business-owner")
    assert row.state == "person"
    assert row.next.text == "Waits for **you** and **Shop Qa Engineer**"
    assert row.next.action.url == f"/approvals/{promotion.pk}/"
    assert (found["live"].pending.kind, found["live"].pending.text) == ("approval", "1.0.0 in approval")
    board = queries.board(shop.actor("business-owner"))
    assert [(one.title, one.kind) for one in board.waiting] == [("Shop 1.0.0", "approval")]
    assert board.waiting[0].text.startswith("to **Live** as business owner.")
    actions.approve(promotion, actor=shop.actor("business-owner"))
    assert tiles(shop, "business-owner")[1].next.text == "Waits for **Shop Qa Engineer**"
    assert queries.board(shop.actor("business-owner")).waiting == []
    assert "**Shop Qa Engineer**" not in tiles(shop, "qa-engineer")[1].next.text


def test_one_of_several_is_enough(shop):
    role = Role.objects.get(slug="business-owner")
    for name in ("Ines Moreau", "Leon Fischer"):
        user = places.create_user(actor=shop.actor("admin"), username=name.split()[0].lower(), name=name)
        places.grant(role, shop.phase("live"), actor=shop.actor("admin"), user=user)
    release = shop.release()
    shop.bring(release, "dev", "qa", "stage")
    shop.ask(release, "live")
    text = tiles(shop, "release-manager")[1].next.text
    assert text == "Waits for **Ines Moreau**, **Leon Fischer** or **Shop Business Owner** and **Shop Qa Engineer**"


def test_queued_is_in_motion_soon(shop):
    shop.ask(shop.release(), "dev")
    found, row = tiles(shop)
    assert (row.next.kind, row.state, found["dev"].pending.text) == ("queued", "scheduled", "1.0.0 queued")


def test_a_tile_says_what_is_queued_behind_that_which_runs(shop):
    places.set_phase(shop.phase("dev"), actor=shop.actor("admin"), in_order=True)
    running = shop.ask(shop.release(), "dev")
    assert lease.claim(running.pk) is not None
    before = queries.board(shop.actor("admin")).revision
    assert tiles(shop)[0]["dev"].pending.behind == ""
    shop.ask(shop.release("1.1.0"), "dev")
    pending = tiles(shop)[0]["dev"].pending
    assert (pending.kind, pending.text, pending.behind) == ("running", "1.0.0 rolling out", "1.1.0 queued")
    assert queries.board(shop.actor("admin")).revision != before
    assert queries.board(shop.actor("admin"), q="1.1.0").groups, "the filter looks at what the board shows"
    shop.ask(shop.release("1.2.0"), "dev")
    assert tiles(shop)[0]["dev"].pending.behind == "2 more queued"


def test_failed_shows_until_something_heals_it(shop):
    shop.bring(shop.release(), "dev")
    script(shop, "dev", steps=[{"do": "fail", "reason": "No disk."}])
    failed = shop.bring(shop.release("1.1.0"), "dev")
    found, row = tiles(shop)
    assert failed.status == "failed"
    assert (row.next.kind, row.state, found["dev"].version) == ("failed", "blocked", "1.0.0")
    assert "**1.1.0** failed in **Dev**" in row.next.text
    assert row.next.action.url == f"/promotions/{failed.pk}/"
    script(shop, "dev")
    shop.bring(shop.release("1.2.0"), "dev")
    found, row = tiles(shop)
    assert found["dev"].pending is None and row.next.kind == "ready"


def test_a_newer_release_makes_an_old_failure_history(shop):
    script(shop, "dev", steps=[{"do": "fail", "reason": "No."}])
    shop.bring(shop.release("1.1.0"), "dev")
    shop.release("1.2.0")
    _, row = tiles(shop)
    assert row.next.text == "**1.2.0** can go to **Dev**"


def test_rejected_names_who(shop):
    release = shop.release()
    shop.bring(release, "dev", "qa", "stage")
    actions.reject(shop.ask(release, "live"), actor=shop.actor("business-owner"), comment="Not before the holidays.")
    found, row = tiles(shop)
    assert (row.next.text, row.state) == ("Rejected by **Shop Business Owner**, see comment", "blocked")
    assert found["live"].pending.text == "1.0.0 rejected"


def test_an_unknown_outcome_needs_a_person(shop):
    script(shop, "dev", steps=[{"do": "errored", "reason": "The line broke."}])
    promotion = shop.bring(shop.release(), "dev")
    assert promotion.status == "errored"
    _, row = tiles(shop, "developer")
    assert (row.next.kind, row.next.action.kind, row.state) == ("errored", "resolve", "person")
    assert tiles(shop, "stakeholder")[1].next.kind != "errored"  # Dev is not theirs to see
    assert queries.board(shop.actor("developer")).waiting[0].kind == "errored"


def test_sick_applications_need_a_person(shop):
    shop.bring(shop.release(), "dev")
    Environment.objects.filter(pk=shop.environments["dev"].pk).update(health="unhealthy", health_detail="503")
    _, row = tiles(shop, "devops")
    assert (row.next.kind, row.next.action.kind, row.state) == ("health", "rollback", "person")


def test_a_lock_blocks(shop):
    shop.release()
    places.lock(shop.environments["dev"], actor=shop.actor("devops"), reason="Cleaning up.")
    found, row = tiles(shop)
    assert (row.next.kind, row.state) == ("locked", "blocked")
    assert row.next.text == "**Dev** is locked by **Shop Devops**: Cleaning up"
    assert (found["dev"].pending.kind, found["dev"].pending.text) == ("locked", "Locked")
    assert found["qa"].pending is None


def test_what_is_queued_under_a_lock_names_it_instead_of_a_moment(shop):
    promotion = shop.ask(shop.release(), "dev")
    assert "starts in a moment" in tiles(shop)[1].next.text
    places.lock(shop.environments["dev"], actor=shop.actor("devops"), reason="Cleaning up.")
    promotion.refresh_from_db()
    assert promotion.status == "queued"
    row = tiles(shop)[1]
    assert (row.next.kind, row.next.text) == ("locked", "**Dev** is locked by **Shop Devops**: Cleaning up")
    assert row.next.action.url == f"/promotions/{promotion.pk}/"


def test_a_phase_that_one_may_not_see_is_not_named_by_a_gate(shop):
    release = shop.release("1.0.0-rc.1")
    places.edit_pipeline(shop.pipeline, actor=shop.actor("devops"), prerelease_until=shop.phase("dev"))

    def said(role):
        actor = shop.actor(role)
        verdicts = preview(release, queries.get_environment(actor, "shop", "qa"), actor=actor).verdicts
        return {one.gate: one for one in verdicts if one.state == "failed"}

    shown, hidden = said("developer"), said("stakeholder")
    assert shown["order"].reason == "Shop 1.0.0-rc.1 has not succeeded in Dev yet." and shown["order"].who
    assert hidden["order"].reason == "Shop 1.0.0-rc.1 has not succeeded in an earlier phase yet."
    assert (hidden["order"].who, hidden["order"].link) == ([], "")
    assert shown["version"].reason.endswith("pre-releases stop at Dev.")
    assert hidden["version"].reason.endswith("pre-releases stop at an earlier phase.")
    places.edit_pipeline(shop.pipeline, actor=shop.actor("devops"), prereleases_everywhere=True)
    shop.bring(release, "dev", "qa")
    passed = {role: preview(release, shop.environments["stage"], actor=shop.actor(role)) for role in factories.ROLES}
    assert passed["developer"].verdicts[0].reason == "It has passed Dev and QA."
    assert passed["stakeholder"].verdicts[0].reason == "It has passed an earlier phase and QA."


def test_a_locked_phase_blocks_and_is_named(shop):
    shop.release()
    places.lock(shop.phase("dev"), actor=shop.actor("devops"), reason="Cleaning up.")
    found, row = tiles(shop)
    assert (row.next.kind, row.state) == ("locked", "blocked")
    assert row.next.text == "All of **Dev** is locked by **Shop Devops**: Cleaning up"
    assert row.next.action.url == "/pipelines/shop/dev/"
    assert (found["dev"].pending.kind, found["dev"].pending.text) == ("locked", "Locked")
    assert found["qa"].pending is None


def test_a_missing_key_blocks_and_is_named(shop):
    shop.release(manifest={"configuration": {"required": ["GREETING"]}})
    _, row = tiles(shop)
    assert (row.next.kind, row.state) == ("configuration", "blocked")
    assert "GREETING" in row.next.text
    places.set_configuration(shop.environments["dev"], {"GREETING": "hello"}, actor=shop.actor("devops"))
    assert tiles(shop)[1].next.kind == "ready"


def test_rolled_back_is_not_pushed_forward_again(shop):
    shop.bring(shop.release(), "dev", "qa")
    shop.bring(shop.release("1.1.0"), "dev", "qa")
    factories.run(actions.roll_back(shop.environments["qa"], actor=shop.actor("release-manager"), reason="Slow."))
    found, row = tiles(shop)
    assert found["qa"].version == "1.0.0"
    assert row.next.text == "**1.0.0** can go to **Stage**"


def test_same_version_everywhere(shop):
    shop.bring(shop.release(), "dev", "qa", "stage", "live")
    _, row = tiles(shop)
    assert (row.next.text, row.state) == ("Same version everywhere", "current")


def test_the_furthest_of_equals_speaks(shop):
    shop.bring(shop.release(), "dev", "qa")
    shop.bring(shop.release("1.1.0"), "dev")
    assert tiles(shop)[1].next.text == "**1.0.0** can go to **Stage**"


def test_scheduled_says_when(shop):
    from datetime import timedelta

    from relman.clock import now

    start = now() + timedelta(days=2)
    shop.ask(shop.release(), "dev", not_before=start)
    found, row = tiles(shop)
    assert row.next.kind == "scheduled" and row.next.text.startswith("Scheduled for **")
    day = WEEKDAYS[localtime(start).weekday()]
    assert found["dev"].pending.text == f"1.0.0 {day} {localtime(start):%H:%M}"


def test_the_board_asks_the_gates_as_the_verbs_do(shop):
    """The facts that are read for all places at once say the same as those for one promotion."""
    shop.release("0.9.0", manifest={"configuration": {"required": ["ABSENT"]}})
    release = shop.release(manifest={"migrate": {"command": "true", "reversible": True}})
    shop.bring(release, "dev", "qa", "stage")
    waiting = shop.ask(release, "live")
    actions.approve(waiting, actor=shop.actor("qa-engineer"))
    shop.release("1.1.0-rc.1", manifest={"configuration": {"required": ["ABSENT", "B"]}})
    places.lock(shop.phase("live"), actor=shop.actor("devops"), reason="Audit.")
    actor = shop.actor("release-manager")
    view, (course,) = load(actor)
    for phase in course.shown:
        place = course.places[phase.pk]
        for move in place.open:
            ours = gates.evaluate(facts(view, course, phase, move.build, move))
            theirs = queries.verdicts_of(queries.get_promotion(actor, move.id), actor)
            assert [(one.gate, one.state, one.reason) for one in ours] == [
                (one.gate, one.state, one.reason) for one in theirs
            ]
        build = candidate(course, phase)
        if build and not place.open:
            ours = gates.evaluate(facts(view, course, phase, build))
            asked = queries.preview(
                queries.get_release(actor, "shop", build.version), shop.environments[phase.slug], actor=actor
            )
            assert [(one.gate, one.state, one.reason) for one in ours if one.gate != "approvals"] == [
                (one.gate, one.state, one.reason) for one in asked.verdicts if not one.gate.startswith("approval")
            ]


# --- who sees what


def test_phases_one_may_not_see_are_absent(shop):
    shop.bring(shop.release(), "dev")
    found, row = tiles(shop, "stakeholder")
    assert list(found) == ["qa", "stage", "live"]
    assert "Dev" not in row.next.text
    board = queries.board(shop.actor("stakeholder"))
    assert [phase.slug for phase in board.groups[0].phases] == ["qa", "stage", "live"]


def test_other_teams_do_not_exist(shop):
    other = factories.shop("other")
    other.release()
    board = queries.board(shop.actor("release-manager"))
    assert [group.pipeline.slug for group in board.groups] == ["shop"]
    assert (board.visible, board.total, board.counts["all"]) == (1, 2, 1)
    assert queries.board(factories.person()).groups == []
    assert queries.board(shop.actor("admin")).visible == 2


def test_a_group_that_loses_its_role_loses_the_rows(shop):
    user = factories.person("guest").user
    assert user is not None
    group = Group.objects.create(name="Guests")
    places.set_members(group, [user], actor=shop.actor("admin"))
    given = places.grant(Role.objects.get(slug="developer"), shop.phase("dev"), actor=shop.actor("admin"), group=group)
    assert queries.board(Actor(user, "page")).visible == 1
    places.revoke(given, actor=shop.actor("admin"))
    assert queries.board(Actor(user, "page")).visible == 0


# --- filters and pages


def test_filters(shop):
    factories.shop("other").release()
    shop.bring(shop.release(), "dev")
    admin = shop.actor("admin")

    def names(**asked):
        return [r.application.slug for g in queries.board(admin, **asked).groups for r in g.rows]

    assert names() == ["other", "shop"]
    assert names(team="shop") == ["shop"]
    assert names(q="OTH") == ["other"]
    assert names(q="1.0.0") == ["shop"]
    assert names(state="ready") == ["other", "shop"]
    assert names(state="blocked") == []
    assert queries.board(admin, state="blocked").counts["all"] == 2
    assert sum(queries.board(admin).counts.values()) == 2 * queries.board(admin).counts["all"]


def test_groups_go_on_over_pages(shop, monkeypatch):
    monkeypatch.setattr(sys.modules["releases.queries.board"], "ROWS", 2)
    for number in range(4):
        places.create_application(shop.pipeline, actor=shop.actor("admin"), name=f"App {number}", slug=f"app{number}")
    first, second = (queries.board(shop.actor("admin"), page=number) for number in (1, 2))
    assert (first.groups[0].continued, second.groups[0].continued) == (False, True)
    assert (second.groups[0].count, second.page.first, second.page.last, second.page.next) == (5, 3, 4, 3)
    assert queries.board(shop.actor("admin"), page=99).page.number == 3


@pytest.mark.parametrize("version", ["1.0.0", "1.9.0-beta.12+build.20260616.3"])
def test_tiles_hold_at_most_24_characters(shop, version):
    shop.ask(shop.release(version), "dev")
    assert len(tiles(shop)[0]["dev"].pending.text) <= 24


def test_the_shell_agrees_with_the_board(shop):
    release = shop.release()
    shop.bring(release, "dev", "qa", "stage")
    shop.ask(release, "live")
    for role in ("business-owner", "release-manager", "stakeholder", "admin"):
        actor = shop.actor(role)
        lean = queries.shell(shop.actor(role))
        queries.board(actor)
        assert queries.shell(actor) == lean
    assert queries.shell(shop.actor("business-owner")).waiting_for_you == 1
    assert queries.shell(shop.actor("business-owner")).role == "Business owner"
    assert queries.shell(shop.actor("release-manager")).waiting_for_you == 0


def test_a_short_time_names_the_weekday_only_while_it_is_clear():
    from datetime import UTC, datetime

    from releases.queries.shared import near

    now = datetime(2026, 6, 16, 14, 32, tzinfo=UTC)
    said = [near(now.replace(day=day, hour=6), now) for day in (16, 17, 22, 23)]
    assert [text[:3] for text in said] == ["06:", "Wed", "Mon", "Tue"]
    assert said[1:] == ["Wed 06:32", "Mon 06:32", "Tue 23 Jun"]
