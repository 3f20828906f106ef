"""Every page's read, in every state that a promotion can be in."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client

from phases import actions as places
from phases.drivers.base import Context
from phases.drivers.masking import MASK
from phases.drivers.scripted import ScriptedDriver
from phases.models import Environment, HealthChange, Role
from phases.targets import target_of
from releases import actions, queries
from releases.engine import own
from releases.models import LogLine, Promotion
from releases.queries.shared import Pill, clock
from relman.clock import now
from relman.errors import NotFound
from tests import factories
from tests.releases.test_board import script


def page(shop, promotion, role="release-manager"):
    actor = shop.actor(role)
    return queries.promotion_page(actor, queries.get_promotion(actor, promotion.pk))


def client_of(shop, role):
    client = Client()
    client.force_login(shop.people[role])
    return client


def asked(shop, role="business-owner"):
    release = shop.release()
    shop.bring(release, "dev", "qa", "stage")
    return shop.ask(release, "live")


# --- promotion


def test_a_waiting_promotion_says_who_and_offers_to_cancel(shop):
    shown = page(shop, asked(shop))
    assert [one.state for one in shown.approvers] == ["open", "open"]
    assert {one.person.name for one in shown.approvers} == {"Shop Business Owner", "Shop Qa Engineer"}
    assert shown.verdicts[0].state == "waiting"
    assert [offer.name for offer in shown.offers if offer.possible] == ["approve", "cancel"]
    assert (shown.progress.done, shown.progress.total, shown.progress.step) == (0, 4, None)
    assert not shown.over


def test_a_succeeded_promotion_counts_its_steps(shop):
    promotion = shop.bring(shop.release(), "dev")
    shown = page(shop, promotion)
    assert (shown.progress.done, shown.progress.total) == (4, 4)
    assert shown.progress.elapsed >= 0 and shown.over
    assert shown.serves.version == "1.0.0"
    assert {segment.state for segment in shown.progress.segments} <= {"succeeded", "skipped"}
    assert "**1.0.0** serves **Dev**" in [entry.text for entry in shown.timeline]


def test_usual_durations_say_when_few_runs_speak_for_them(shop):
    promotion = shop.bring(shop.release("1.0.0"), "dev")
    assert all(step.usual is None for step in page(shop, promotion).steps)
    for version, said in (("1.1.0", ", from 1 run"), ("1.2.0", ", from 2 runs"), ("1.3.0", "")):
        promotion = shop.bring(shop.release(version), "dev")
        known = [step.usual for step in page(shop, promotion).steps if step.kind != "retire"]
        assert {one.caution for one in known if one} == {said} and all(known)


def test_a_running_promotion_says_how_long_it_should_still_take(shop):
    shop.bring(shop.release("1.0.0"), "dev")
    running = shop.ask(shop.release("1.1.0"), "dev")
    Promotion.objects.filter(pk=running.pk).update(status="running", started_at=now())
    assert page(shop, running).progress.remaining is not None
    running.refresh_from_db()
    running.steps.filter(number=1).update(status="running", started_at=now() - timedelta(hours=1))
    late = page(shop, running).progress
    assert late.late and late.remaining is None
    html = client_of(shop, "release-manager").get(f"/promotions/{running.pk}/").content.decode()
    assert "longer than usual" in html and "no estimate" not in html


def test_a_scheduled_promotion_says_so_and_when(shop):
    due = now() + timedelta(days=2)
    promotion = shop.ask(shop.release(), "dev", not_before=due)
    assert page(shop, promotion).pill == Pill("scheduled", f"Scheduled for {clock(due, now())}")
    waiting = asked(shop)
    assert page(shop, waiting).pill == Pill("approval", "Waiting for approval")
    waiting.rules = []
    waiting.save(update_fields=["rules"])
    places.lock(shop.environments["live"], actor=shop.actor("devops"), reason="Audit")
    assert page(shop, waiting).pill == Pill("lock")
    actions.yank(waiting.release, actor=shop.actor("release-manager"), reason="It loses orders.")
    assert page(shop, waiting).pill == Pill("waiting", "Held by the gate release")


def test_a_failed_promotion_says_what_a_retry_repeats(shop):
    shop.bring(shop.release(), "dev")
    script(shop, "dev", steps=[{"do": "noop"}, {"do": "fail", "reason": "No disk.", "resume": "never"}])
    promotion = shop.bring(shop.release("1.1.0"), "dev")
    shown = page(shop, promotion)
    assert shown.progress.step.number == 2 and shown.progress.step.state == "failed"
    assert shown.serves.version == "1.0.0"
    assert shown.left and shown.seal_holds is None
    assert shown.retry is not None and any("runs a second time" in note.text for note in shown.retry.notes)
    assert shown.retry.notes[-1].detail == "It is as it was."
    places.set_configuration(shop.environments["dev"], {"NEW": "1"}, actor=shop.actor("devops"))
    shown = page(shop, promotion)
    assert shown.retry is not None and shown.retry.notes[-1].detail == "Since then: NEW added."
    assert any(offer.name == "retry" for offer in shown.offers)
    again = actions.retry(promotion, actor=shop.actor("developer"))
    shown = page(shop, promotion)
    assert shown.promotion.retried_by == again.pk and shown.retry is None
    assert not any(offer.name == "retry" for offer in shown.offers)


def test_an_errored_promotion_parts_known_from_unknown(shop):
    script(shop, "dev", steps=[{"do": "noop"}, {"do": "errored", "reason": "The line broke."}])
    shown = page(shop, shop.bring(shop.release(), "dev"), "developer")
    assert shown.known and shown.unknown
    assert [offer.name for offer in shown.offers] == ["resolve", "retry"]
    path = f"/promotions/{shown.promotion.id}/"
    may, other = (client_of(shop, who).get(path).content.decode() for who in ("developer", "business-owner"))
    assert "How do you know" in may and "How do you know" not in other and "Somebody else decides." in other


def test_a_button_without_the_right_says_who_has_it(shop):
    offers = {offer.name: offer for offer in page(shop, asked(shop), "stakeholder").offers}
    assert not offers["cancel"].possible
    assert "Release manager" in offers["cancel"].reason


def test_queued_names_what_is_in_front(shop):
    first = shop.ask(shop.release(), "dev")
    Promotion.objects.filter(pk=first.pk).update(status="running")
    second = shop.ask(shop.release("1.1.0"), "dev")
    queue = page(shop, second).queue
    assert queue is not None and [line.version for line in queue.in_front] == ["1.0.0"]
    assert [line.release for line in page(shop, first).behind] == ["1.1.0"]


def test_a_report_holds_what_is_known_and_no_secret(shop):
    places.set_configuration(shop.environments["dev"], {"MODE": "test"}, actor=shop.actor("devops"))
    places.set_configuration(shop.environments["dev"], {"KEY": {"value": "s3cr3t-word", "secret": True}},
                             actor=shop.actor("devops"))  # fmt: skip
    script(shop, "dev", steps=[{"do": "noop"}, {"do": "fail", "reason": "No disk."}])
    promotion = shop.bring(shop.release(), "dev")
    LogLine.objects.create(promotion=promotion, step=2, at=now(), level="error", text="disk is full")
    path, client = f"/promotions/{promotion.pk}/", client_of(shop, "developer")
    text, found = client.get(f"{path}report.txt"), client.get(f"{path}report.json").json()
    body = text.content.decode()
    assert "attachment" in text["Content-Disposition"]
    assert found["status"] == "failed" and [one["state"] for one in found["steps"]][:2] == ["succeeded", "failed"]
    assert found["configuration"] == {"KEY": {"secret": True, "version": 1}, "MODE": {"secret": False, "value": "test"}}
    for said in ("shop 1.0.0 to dev", "No disk.", "disk is full", "MODE = test", "KEY = secret, version 1", "Timeline"):
        assert said in body, said
    assert "s3cr3t-word" not in body and "s3cr3t-word" not in str(found)
    assert f'href="{path}report.txt"' in client.get(path).content.decode()


def test_the_log_is_a_window(shop, monkeypatch):
    monkeypatch.setattr("releases.queries.logs.LAST", 3)
    promotion = shop.bring(shop.release(), "dev")
    LogLine.objects.filter(promotion=promotion).delete()
    for number in range(1, 6):
        LogLine.objects.create(promotion=promotion, step=1 + number % 2, at=now(), text=f"line {number}")
    shown = queries.log(promotion)
    assert [(line.number, line.text) for line in shown.lines] == [(3, "line 3"), (4, "line 4"), (5, "line 5")]
    assert (shown.total, shown.first, shown.last, shown.earlier) == (5, 3, 5, True)
    assert [line.text for line in queries.log(promotion, after=4).lines] == ["line 5"]
    assert queries.log(promotion, after=5).last == 5
    assert [line.text for line in queries.log(promotion, step=1).lines] == ["line 2", "line 4"]
    assert len(list(queries.log_text(promotion))) == 5


# --- approvals


def test_the_inbox_parts_mine_from_others(shop):
    promotion = asked(shop)
    for role, where in {"business-owner": "you", "qa-engineer": "you", "release-manager": "others"}.items():
        inbox = queries.approvals_page(shop.actor(role), "you")
        assert [ask.promotion for ask in getattr(inbox, where)] == [promotion.pk], role
    assert "Shop Business Owner" in queries.approvals_page(shop.actor("release-manager"), "you").others[0].text
    actions.approve(promotion, actor=shop.actor("business-owner"), comment="Fine")
    inbox = queries.approvals_page(shop.actor("business-owner"), "decided")
    assert (inbox.counts, inbox.decided[0].comment) == ({"you": 0, "others": 1, "decided": 1}, "Fine")


def test_the_decision_page_says_whose_turn_it_is(shop):
    promotion = asked(shop)

    def shown(role):
        actor = shop.actor(role)
        return queries.approve_page(actor, queries.get_promotion(actor, promotion.pk))

    first = shown("business-owner")
    assert (first.decision.state, first.decision.may, first.decision.last) == ("open", True, False)
    assert (first.ask.needed, first.ask.approved) == (2, 0)
    assert [one.phase.slug for one in first.passed] == ["dev", "qa", "stage"]
    assert all(one.equal for one in first.passed)
    assert not any(verdict.gate.startswith("approval") for verdict in first.verdicts)
    manager = shown("release-manager").decision
    assert (manager.state, manager.may) == ("readonly", False)
    assert "**Shop Business Owner**" in manager.reason
    actions.approve(promotion, actor=shop.actor("business-owner"))
    mine = shown("business-owner").decision
    assert (mine.state, mine.yours.approved, mine.may_withdraw) == ("yours", True, True)
    assert shown("qa-engineer").decision.last
    actions.reject(promotion, actor=shop.actor("qa-engineer"), comment="The basket is empty.")
    over = shown("business-owner")
    assert (over.decision.state, over.ended.by, over.ended.comment) == (
        "over", "Shop Qa Engineer", "The basket is empty.",
    )  # fmt: skip


def test_the_author_reads_why_not(shop):
    release = shop.release(author="shop-business-owner")
    shop.bring(release, "dev", "qa", "stage")
    actor = shop.actor("business-owner")
    decision = queries.approve_page(actor, queries.get_promotion(actor, shop.ask(release, "live").pk)).decision
    assert not decision.may
    assert decision.reason.startswith("You wrote or published this release.")


def test_void_approvals_say_what_changed(shop):
    promotion = asked(shop)
    actions.approve(promotion, actor=shop.actor("business-owner"))
    places.set_configuration(shop.environments["live"], {"NEW": "1"}, actor=shop.actor("devops"))
    with pytest.raises(Exception, match="configuration"):
        actions.approve(promotion, actor=shop.actor("qa-engineer"))
    factories.run(promotion)
    actor = shop.actor("business-owner")
    shown = queries.approve_page(actor, queries.get_promotion(actor, promotion.pk))
    assert shown.void is not None and shown.void.what == "the configuration (NEW added)"


# --- applications, releases, environments


def test_an_application_says_why_its_release_is_not_further(shop):
    promotion = asked(shop)
    shown = queries.application_page(shop.actor("business-owner"), shop.application)
    assert shown.why and shown.why.action and shown.cards[-1].gate
    assert (shown.why.release, shown.why.phase.slug, shown.why.open) == ("1.0.0", "live", 2)
    assert shown.why.action.url == f"/approvals/{promotion.pk}/"
    assert shown.why.verdicts[0].state == "waiting"
    assert [card.phase.slug for card in shown.cards] == ["dev", "qa", "stage", "live"]
    cells = [cell.kind for cell in shown.releases[0].cells]
    assert cells[-3:] == ["here", "here", "waiting"]
    assert shown.releases[0].cells[-1].text == "0 of 2 approvals"
    assert shown.cards[-1].gate.tone == "warn"


def test_an_empty_application_draws_its_phases(shop):
    shown = queries.application_page(shop.actor("developer"), shop.application)
    assert shown.why is None and shown.releases == []
    assert [card.version for card in shown.cards] == [None] * 4
    assert [offer.name for offer in shown.offers] == ["publish"]
    assert queries.application_page(shop.actor("stakeholder"), shop.application).offers == []


def test_a_release_counts_changes_since_what_the_target_runs(shop):
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        actions.publish_release(
            shop.application, actor=shop.actor("ci-robot"), version=version, staged=factories.archive(version),
            changes=[{"title": f"Change of {version}", "kind": "fix", "author": "Ada"}], notes="One line.\nMore.",
        )  # fmt: skip
    actor = shop.actor("release-manager")
    shop.bring(queries.get_release(actor, "shop", "1.0.0"), "dev")
    shown = queries.release_page(actor, queries.get_release(actor, "shop", "1.2.0"))
    assert shown.target and shown.primary
    assert (shown.since, shown.target.slug) == ("1.0.0", "dev")
    assert [one.title for one in shown.changes] == ["Change of 1.2.0", "Change of 1.1.0"]
    assert (shown.people, shown.release.summary) == (1, "One line.")
    assert shown.primary.url == "/apps/shop/dev/promote/?version=1.2.0"
    assert [offer.name for offer in shown.offers] == ["yank", "quarantine"]
    compared = queries.compare(actor, *(queries.get_release(actor, "shop", one) for one in ("1.2.0", "1.0.0")))
    assert (compared.a.version, len(compared.changes)) == ("1.0.0", 2)


def test_two_releases_show_what_each_ran_with(shop):
    dev, devops, actor = shop.environments["dev"], shop.actor("devops"), shop.actor("developer")
    places.set_configuration(dev, {"MODE": "old", "SAME": "1"}, actor=devops)
    first = shop.release("1.0.0")
    shop.bring(first, "dev", "qa")
    places.set_configuration(dev, {"MODE": "new"}, actor=devops)
    second = shop.release("1.1.0")
    shop.bring(second, "dev")
    found = queries.compare(actor, first, second)
    assert [one.version for one in found.builds] == ["1.0.0", "1.1.0"]
    there, here = found.phases
    assert [(one.key, one.before, one.after) for one in there.differences] == [("MODE", "old", "new")]
    assert (there.phase.slug, there.unchanged, here.phase.slug, here.b) == ("dev", 1, "qa", None)
    text = client_of(shop, "developer").get("/apps/shop/releases/compare/1.0.0...1.1.0/").content.decode()
    assert "1.1.0 has not run there" in text and '<span class="old">old</span>' in text
    assert queries.compare(actor, first, first).phases == []


def test_a_release_knows_where_it_went(shop):
    release = shop.release()
    shop.bring(release, "dev", "qa")
    shown = queries.release_page(shop.actor("release-manager"), release)
    assert [one.kind for one in shown.strip] == ["here", "here", "none", "none"]
    assert [one.equal for one in shown.builds] == [True, True]
    assert shown.target and (shown.target.slug, shown.pill.text) == ("stage", "QA")


def test_an_environment_compares_its_configuration_with_the_phase_before(shop):
    devops = shop.actor("devops")
    places.set_configuration(shop.environments["dev"], {"A": "1", "B": "2"}, actor=devops)
    places.set_configuration(
        shop.environments["qa"], {"A": "1", "B": "3", "S": {"value": "hush", "secret": True}}, actor=devops
    )
    shop.release(manifest={"configuration": {"required": ["A", "C"]}})
    shown = queries.environment_page(shop.actor("devops"), shop.environments["qa"])
    keys = {key.key: key for key in shown.keys}
    assert (keys["A"].before, keys["B"].before, keys["S"].before) == ("Same", "Differs", "Not set there")
    assert keys["S"].value is None and keys["S"].secret
    assert keys["B"].there == "2" and shown.against and shown.against.slug == "dev"
    assert shown.keys[0].key == "C", "what is missing comes first"
    assert not keys["C"].set and keys["C"].required_by.startswith("1.0.0")
    assert shown.complete and shown.complete.missing == ["C"]
    assert "hush" not in repr(shown)
    assert (
        shown.may_configure
        and not queries.environment_page(shop.actor("developer"), shop.environments["qa"]).may_configure
    )


def test_no_line_of_an_application_shows_a_secret_of_today_or_before(shop, monkeypatch):
    devops, dev = shop.actor("devops"), shop.environments["dev"]
    places.set_configuration(dev, {"KEY": {"value": "hush-of-old", "secret": True}}, actor=devops)
    shop.bring(shop.release(), "dev")
    places.set_configuration(dev, {"KEY": {"value": "hush-of-now!", "secret": True}}, actor=devops)
    encoded = base64.b64encode(b"hush-of-now!").decode()
    said = ["a hush-of-old b", "c hush-of-now! d", encoded, "plain \x1b[31mwords"]
    monkeypatch.setattr(ScriptedDriver, "log", lambda *_: said)
    shown = queries.environment_page(devops, dev).runtime_log
    assert shown is not None
    lines = [line.text for line in shown.lines]
    assert lines == [f"a {MASK} b", f"c {MASK} d", MASK, "plain words"]
    kept: list[str] = []
    promotion = Promotion.objects.get()
    context = Context(target_of(dev), promotion.pk, 1, 1, log=kept.append)
    own.unhealthy(promotion, ScriptedDriver(), context, "It broke.")
    assert kept == [f"│ {line}" for line in lines]


def test_the_phase_page_lists_roles_and_what_is_missing(shop):
    places.create_application(shop.pipeline, actor=shop.actor("admin"), name="Second", slug="second")
    shown = queries.phase_page(shop.actor("devops"), shop.phase("live"))
    assert {row.application.slug: row.tile.exists for row in shown.rows} == {"shop": True, "second": False}
    assert shown.phase.missing == ["1 environment missing: Second"]
    roles = {role.role: role for role in shown.roles}
    assert "Shop Business Owner" in roles["Business owner"].people and "approve" in roles["Business owner"].rights
    assert "publish" not in {right.codename for right in shown.rights}
    assert [line.number for line in queries.pipeline_page(shop.actor("devops"), shop.pipeline).phases] == [1, 2, 3, 4]


def test_the_phase_page_shows_its_environments_beside_those_before(shop):
    stage = shop.environments["stage"]
    places.edit_environment(stage, actor=shop.actor("devops"), instances=2, memory=512)
    shop.bring(shop.release(), "dev", "qa", "stage")
    row = Promotion.objects.get(environment=stage)
    seen = {"running": 1, "wanted": 2, "promotion": row.pk}
    Environment.objects.filter(pk=stage.pk).update(observed=seen, health="unhealthy", health_at=Now())
    HealthChange.objects.all().delete()
    begun = Now() - timedelta(hours=6)
    HealthChange.objects.create(environment=stage, at=begun, before="healthy", health="unhealthy", detail="Slow")
    shown = queries.phase_page(shop.actor("developer"), shop.phase("stage")).infrastructure
    (place,) = shown.places
    assert (place.size, place.running) == ("2 instances, 512 MiB", "1 of 2 running")
    assert place.against == "2 times as many as in QA"
    (strip,) = shown.strips
    assert strip.trouble and strip.words.startswith("Unhealthy since") and strip.slots.count("w") in (12, 13)
    facts = shown.facts
    assert (facts.serving, facts.of, facts.states) == (1, 1, "1 unhealthy")
    assert facts.healthy_for in ("75.00 %", "74.99 %", "74.98 %", "74.97 %")  # each is nine seconds until the page
    assert facts.last and facts.last.id == row.pk and not facts.running and facts.coming == 0


def test_a_phase_in_which_nothing_was_looked_at_says_so(shop):
    shown = queries.phase_page(shop.actor("developer"), shop.phase("live"))
    assert (shown.kind, shown.words) == ("none", "Nothing is deployed yet")
    assert shown.infrastructure.facts.healthy_for == "" and shown.infrastructure.strips == []


def test_the_pipeline_page_says_what_a_phase_comes_after_and_who_may_do_what(shop):
    shown = queries.pipeline_page(shop.actor("stakeholder"), shop.pipeline, "roles")
    assert [one.after for one in shown.phases] == ["the phase before", "QA", "Stage"], "Dev is hidden"
    told = queries.phase_page(shop.actor("stakeholder"), shop.phase("qa")).rules[0].text
    assert told == "It has succeeded in the phase before"
    roles = {one.role: one for one in shown.roles}
    assert roles["Business owner"].people == ["Shop Business Owner"]
    rights = roles["Business owner"].rights
    assert "Approve" in rights[-1].text and [one.phase for one in rights] == ["QA", "Stage", "Live"]
    assert not any(one.may_edit for one in shown.phases)
    changes = queries.pipeline_page(shop.actor("devops"), shop.pipeline, "history").history
    assert any("**Shop**" in one.text for one in changes)


# --- dialogs


def test_the_promote_dialog_says_what_it_would_do(shop):
    shop.bring(shop.release(), "dev")
    newer = shop.release("1.1.0")
    offer = queries.promote_dialog(shop.actor("developer"), newer, shop.environments["dev"]).offer
    assert (offer.kind, offer.replaces, offer.refused, offer.lower) == ("deploy", "1.0.0", False, False)
    chosen = queries.promote_dialog(shop.actor("developer"), None, shop.environments["dev"]).offer
    assert (chosen.version, chosen.versions) == ("1.1.0", ["1.1.0", "1.0.0"])
    early = queries.promote_dialog(shop.actor("release-manager"), newer, shop.environments["live"]).offer
    assert early.refused and early.verdicts[0].state == "failed"


def test_the_rollback_dialog_offers_what_ran_here(shop):
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        shop.bring(shop.release(version), "dev")
    offer = queries.rollback_dialog(shop.actor("developer"), shop.environments["dev"]).offer
    assert (offer.from_version, offer.chosen, offer.refused, offer.word) == ("1.2.0", "1.1.0", False, "")
    assert [way.version for way in offer.to] == ["1.1.0", "1.0.0"]
    assert all(way.until for way in offer.to)
    empty = queries.rollback_dialog(shop.actor("release-manager"), shop.environments["live"]).offer
    assert empty.refused and empty.word == "shop" and "no way back" in empty.reason


def test_the_quarantine_dialog_lists_what_it_stops(shop):
    promotion = asked(shop)
    shown = queries.withdraw_dialog(shop.actor("release-manager"), promotion.release)
    assert ([line.id for line in shown.stops], len(shown.runs), shown.possible) == ([promotion.pk], 3, True)
    assert not queries.withdraw_dialog(shop.actor("developer"), promotion.release).possible


# --- the record, the search


def test_the_record_is_filtered_and_paged(shop, monkeypatch):
    monkeypatch.setattr("releases.queries.audit.LINES", 3)
    shop.bring(shop.release(), "dev")
    actor = shop.actor("admin")
    first = queries.audit_page(actor, {})
    second = queries.audit_page(actor, {}, before=first.page.next)
    assert first.events[-1].id > second.events[0].id
    back = queries.audit_page(actor, {}, after=second.page.previous)
    assert [one.id for one in back.events] == [one.id for one in first.events]
    only = queries.audit_page(actor, {"verb": "release.published"})
    assert [one.text for one in only.events] == ["**Shop Ci Robot** published **1.0.0**"]
    assert queries.audit_page(factories.person(), {}).events == []


def test_the_search_finds_by_name_version_and_number(shop):
    promotion = shop.ask(shop.release(), "dev")
    actor = shop.actor("release-manager")
    kinds = {one.kind for one in queries.search(actor, "shop").results}
    assert kinds == {"application", "release", "phase", "pipeline", "person"}
    shop.bring(promotion.release, "dev")
    assert [one.detail for one in queries.search(actor, "shop").results if one.kind == "release"] == ["In Dev"]
    assert [one.text for one in queries.search(actor, "shop 1.0").results] == ["Shop 1.0.0"]
    assert f"/promotions/{promotion.pk}/" in [one.url for one in queries.search(actor, f"#{promotion.pk}").results]
    assert queries.search(factories.person(), "shop").results == []


def holders(actor, q):
    kinds = ("person", "machine", "group")
    return [(one.text, one.detail, one.url) for one in queries.search(actor, q).results if one.kind in kinds]


def test_the_search_finds_whom_the_pages_of_roles_name(shop):
    admin, guest = shop.actor("admin"), factories.person("zora-9").user
    assert guest is not None
    places.edit_user(guest, actor=admin, name="Zora Okafor")
    for role, phase in (("qa-engineer", "dev"), ("devops", "live")):
        given = places.grant(Role.objects.get(slug=role), shop.phase(phase), actor=admin, user=guest)
    roles = "/pipelines/shop/?tab=roles"
    assert holders(shop.actor("developer"), "okafor zora") == [("Zora Okafor", "DevOps and QA engineer in Shop", roles)]
    # Dev is not for stakeholders: neither is what somebody may do there.
    assert holders(shop.actor("stakeholder"), "zora") == [("Zora Okafor", "DevOps in Shop", roles)]
    assert holders(shop.actor("developer"), "zora-9") == [], "a user name is for whoever looks accounts up"
    factories.shop("other")
    assert holders(factories.person(), "zora") == []
    assert not [text for text, *_ in holders(shop.actor("developer"), "Other")]
    places.revoke(given, actor=admin)
    assert holders(shop.actor("stakeholder"), "zora") == []
    places.edit_user(guest, actor=admin, is_active=False)
    assert holders(shop.actor("developer"), "zora") == []


def test_the_search_finds_groups_and_accounts_without_a_role(shop):
    admin, member = shop.actor("admin"), factories.person("zora-9").user
    assert member is not None
    group = places.create_group(actor=admin, name="Night watch", members=[member])
    address = f"/admin/auth/group/{group.pk}/change/"
    for role in ("admin", "devops"):
        assert holders(shop.actor(role), "night") == [("Night watch", "Group", address)]
        found = [("Zora 9", "Account zora-9", f"/admin/phases/user/{member.pk}/change/")]
        assert holders(shop.actor(role), "zora-9") == found
    assert holders(shop.actor("developer"), "night") == holders(shop.actor("developer"), "zora") == []
    places.grant(Role.objects.get(slug="developer"), shop.phase("qa"), actor=admin, group=group)
    for role in ("admin", "stakeholder"):
        named = [("Night watch", "Developer in Shop", "/pipelines/shop/?tab=roles")]
        assert holders(shop.actor(role), "night") == named


# --- invisible is unknown


def test_outsiders_find_nothing(shop):
    promotion = asked(shop)
    stranger = factories.person()
    for read in (
        lambda: queries.get_application(stranger, "shop"),
        lambda: queries.get_release(stranger, "shop", "1.0.0"),
        lambda: queries.get_environment(stranger, "shop", "dev"),
        lambda: queries.get_promotion(stranger, promotion.pk),
        lambda: queries.row(stranger, shop.application),
        lambda: queries.application_page(stranger, shop.application),
    ):
        with pytest.raises(NotFound):
            read()
    assert queries.approvals_page(stranger, "you").others == []
    with pytest.raises(NotFound):
        queries.get_environment(shop.actor("stakeholder"), "shop", "dev")


# --- every page draws in every state


def walk(shop):
    """Promotions in as many states as there are, each with its address."""
    waiting = asked(shop)
    script(shop, "dev", steps=[{"do": "fail", "reason": "No disk."}])
    failed = shop.bring(shop.release("1.1.0"), "dev")
    script(shop, "dev", steps=[{"do": "errored", "reason": "The line broke."}])
    errored = shop.bring(shop.release("1.2.0"), "dev")
    cancelled = actions.cancel(shop.ask(shop.release("1.3.0"), "dev"), actor=shop.actor("developer"))
    return [waiting, failed, errored, cancelled]


def test_every_page_draws(shop):
    places.grant(Role.objects.get(slug="devops"), shop.phase("dev"), actor=shop.actor("admin"),
                 user=shop.people["release-manager"])  # fmt: skip
    promotions = walk(shop)
    client = client_of(shop, "release-manager")
    addresses = [
        "/board/", "/board/?q=shop&state=blocked", "/board/row/shop/", "/approvals/", "/approvals/?tab=others",
        "/approvals/?tab=decided", "/apps/", "/apps/shop/", "/apps/shop/releases/", "/apps/shop/releases/1.0.0/",
        "/apps/shop/releases/1.2.0/", "/apps/shop/releases/compare/1.0.0...1.2.0/", "/apps/shop/dev/",
        "/apps/shop/live/", "/apps/shop/dev/configuration/", "/apps/shop/dev/promote/", "/apps/shop/dev/rollback/",
        "/apps/shop/releases/1.0.0/yank/", "/apps/shop/releases/1.0.0/quarantine/", "/pipelines/shop/",
        "/pipelines/shop/dev/", "/audit/", "/search/?q=shop", f"/approvals/{promotions[0].pk}/",
        *[f"/promotions/{one.pk}/{tail}" for one in promotions for tail in ("", "progress/", "log/?step=1", "log.txt",
                                                                    "report.txt", "report.json")],
    ]  # fmt: skip
    answers = {address: client.get(address).status_code for address in addresses}
    assert {address: code for address, code in answers.items() if code != 200} == {}
