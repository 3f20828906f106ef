"""Every form: it runs the verb, goes on with a message, and keeps what was typed when it is refused."""

import html
import re
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.functions import Now

from phases import actions as places
from phases.models import Application, Component, Environment, Lock, Phase, Pipeline, Role, Variable
from releases.models import Approval, Promotion, Release
from relman.audit.models import Event
from tests import factories


def said(answer):
    return " ".join(str(one) for one in get_messages(answer.wsgi_request))


def text(answer):
    return answer.content.decode()


@pytest.fixture
def waiting(world):
    return world.promotions["waiting"].pk


# --- promotions


def test_promote(world):
    browser = world.browser("developer")
    page = browser.get("/apps/shop/dev/promote/?version=1.2.0")
    assert "Promote Shop 1.2.0 to Dev?" in text(page)
    answer = browser.post("/apps/shop/dev/promote/", {"version": "1.2.0", "comment": "Try it"})
    asked = Promotion.objects.latest("pk")
    assert answer["Location"] == f"/promotions/{asked.pk}/"
    requester = asked.requested_by.username if asked.requested_by else ""
    assert (asked.release.version, asked.comment, requester) == ("1.2.0", "Try it", "shop-developer")
    assert "1.2.0 is on its way to Dev" in said(answer)


def test_promote_in_the_emergency_lane(world):
    assert "Emergency" not in text(world.browser("developer").get("/apps/shop/dev/promote/?version=1.2.0"))
    browser = world.browser("release-manager")
    assert 'name="emergency"' in text(browser.get("/apps/shop/dev/promote/?version=1.2.0"))
    answer = browser.post("/apps/shop/dev/promote/", {"version": "1.2.0", "emergency": "on", "comment": "Kept"})
    assert answer.status_code == 400 and "Say what the emergency is." in text(answer) and "Kept" in text(answer)
    browser.post("/apps/shop/dev/promote/", {"version": "1.2.0", "emergency": "on", "reason": "Carts are empty"})
    asked = Promotion.objects.latest("pk")
    assert asked.emergency_reason == "Carts are empty"
    assert "Carts are empty" in text(browser.get(f"/promotions/{asked.pk}/"))


def test_put_it_in_front_of_the_queue(world, waiting):
    browser = world.browser("release-manager")
    assert "in front of the queue?" in text(browser.get(f"/promotions/{waiting}/expedite/"))
    refused = browser.post(f"/promotions/{waiting}/expedite/", {"reason": ""})
    assert refused.status_code == 400 and "Say what the emergency is." in text(refused)
    answer = browser.post(f"/promotions/{waiting}/expedite/", {"reason": "Carts are empty"})
    assert "in front of the queue now" in said(answer)
    shown = text(browser.get(f"/promotions/{waiting}/"))
    assert "Emergency lane" in shown and "“Carts are empty”" in shown and "Waiting" in shown


def test_promote_later_is_meant_in_the_zone_of_the_reader(world):
    user = world.user("developer")
    user.time_zone = "Asia/Tokyo"
    user.save()
    sent = {"version": "1.2.0", "not_before": "2099-06-17T06:00"}
    world.browser("developer").post("/apps/shop/dev/promote/", sent)
    assert Promotion.objects.latest("pk").not_before == datetime(2099, 6, 16, 21, tzinfo=UTC)


def test_promote_now_takes_no_time_that_was_typed_beside_it(world):
    browser, sent = world.browser("developer"), {"version": "1.2.0", "not_before": "2099-06-17T06:00", "start": "now"}
    unsaid = browser.post("/apps/shop/dev/promote/", {"version": "1.2.0", "start": "at"})
    assert unsaid.status_code == 400 and "Say when it may start" in text(unsaid)
    assert 'value="at" checked' in text(unsaid)
    browser.post("/apps/shop/dev/promote/", sent)
    assert Promotion.objects.latest("pk").not_before is None


def test_promote_without_a_version_offers_what_stands_before(world):
    assert "Promote Shop 1.0.0 to Live?" not in text(world.browser("release-manager").get("/apps/shop/live/promote/"))
    assert "1.1.0" in text(world.browser("release-manager").get("/apps/shop/live/promote/"))


def test_a_dialog_is_a_page_and_a_fragment(world):
    browser = world.browser("developer")
    page, part = (browser.get("/apps/shop/dev/promote/", headers=headers) for headers in ({}, {"hx-request": "true"}))
    assert text(page).startswith("<!doctype") and "<!doctype" not in text(part)
    assert 'class="dlg"' in text(page) and 'class="dlg"' in text(part)


def test_a_refused_promotion_keeps_what_was_typed_and_says_why(world):
    before = Promotion.objects.count()
    sent = {"version": "1.2.0", "comment": "Straight to the users"}
    answer = world.browser("release-manager").post("/apps/shop/live/promote/", sent)
    assert answer.status_code == 409
    assert Promotion.objects.count() == before
    assert 'role="alert"' in text(answer) and "Straight to the users" in text(answer)
    refused = Event.objects.filter(outcome="refused").latest("pk")
    assert refused.actor_name == world.user("release-manager").display


def test_a_malformed_field_is_said_at_the_field(world):
    sent = {"version": "1.2.0", "comment": "As I said", "not_before": "soon"}
    answer = world.browser("developer").post("/apps/shop/dev/promote/", sent)
    assert answer.status_code == 400
    assert "As I said" in text(answer) and "Write it like" in text(answer)


def test_the_same_form_twice_acts_once(world):
    browser = world.browser("developer")
    sent = {"version": "1.2.0", "idempotency_key": uuid4().hex}
    first = browser.post("/apps/shop/dev/promote/", sent)
    again = browser.post("/apps/shop/dev/promote/", sent)
    assert first["Location"] == again["Location"]
    assert Promotion.objects.filter(release__version="1.2.0").count() == 1


def test_the_same_form_with_other_words_is_another_request(world):
    """The browser's Back shows the form as it was, with its old key."""
    browser = world.browser("devops")
    for value in ("one", "two", "two"):
        sent = {"key": "BACK", "value": value, "idempotency_key": "k" * 32}
        assert browser.post("/apps/shop/qa/configuration/", sent).status_code == 302
        assert Variable.objects.get(key="BACK").value == value
    assert Variable.objects.get(key="BACK").version == 2


def test_each_drawing_of_a_form_has_a_key_of_its_own(world):
    browser = world.browser("developer")
    pages = [text(browser.get("/apps/shop/dev/promote/")) for _ in range(2)]
    keys = {found for page in pages for found in re.findall(r'name="idempotency_key" value="(\w{32})"', page)}
    assert len(keys) == 2


def test_roll_back_takes_a_reason(world):
    browser = world.browser("release-manager")
    answer = browser.post("/apps/shop/stage/rollback/", {"version": "1.0.0", "configuration": "now", "reason": "Slow"})
    asked = Promotion.objects.latest("pk")
    assert answer["Location"] == f"/promotions/{asked.pk}/"
    assert (asked.kind, asked.snapshot_of, asked.release.version) == ("rollback", "today", "1.0.0")


def test_in_live_the_slug_is_typed_where_the_way_back_is_not_ready(world):
    """To the release before, when all is there for it, a reason is enough; anything else is hard to do by accident."""
    factories.run(world.shop.approve(world.promotions["waiting"]))
    browser = world.browser("release-manager")
    path, said = "/apps/shop/live/rollback/", {"version": "1.0.0", "configuration": "then", "reason": "Slow carts"}
    plain = text(browser.get(path))
    assert "From 1.1.0 to 1.0.0." in plain and 'name="confirm"' not in plain
    newer = Release.objects.filter(version="1.1.0", application__slug="shop")
    newer.update(manifest=newer.get().manifest | {"migrate": {"command": "true", "reversible": False}})
    assert "Type <code>shop</code> to roll back Live" in text(browser.get(path))
    for typed in ("", "shopp"):
        refused = browser.post(path, said | {"confirm": typed})
        assert refused.status_code == 400
        assert "Type shop to go on." in text(refused) and "Slow carts" in text(refused)
    assert browser.post(path, said | {"confirm": "shop"}).status_code == 302
    asked = Promotion.objects.latest("pk")
    assert (asked.kind, asked.release.version, asked.environment.phase.slug) == ("rollback", "1.0.0", "live")


def test_roll_back_needs_a_reason(world):
    sent = {"version": "1.0.0", "configuration": "then", "reason": " "}
    answer = world.browser("release-manager").post("/apps/shop/stage/rollback/", sent)
    assert answer.status_code == 400 and "Say why." in text(answer)


def test_rehearse(world):
    browser = world.browser("release-manager")
    page = text(browser.get("/apps/shop/stage/rehearse/"))
    assert "from 1.1.0 back to 1.0.0" in page and "Never, in no phase up to here" in page
    answer = browser.post("/apps/shop/stage/rehearse/", {"comment": "Before Friday"})
    assert answer["Location"] == "/apps/shop/stage/"
    asked = Promotion.objects.latest("pk")
    assert (asked.kind, asked.comment) == ("rollback", "Before Friday")
    shown = text(browser.get("/apps/shop/stage/"))
    assert "A rehearsal goes on." in shown and "needs the place for itself" in shown
    assert "Part of a rehearsal" in text(browser.get(f"/promotions/{asked.pk}/"))
    assert browser.post("/apps/shop/stage/rehearse/", {}).status_code == 409


def test_a_rehearsal_says_why_not(world):
    page = text(world.browser("release-manager").get("/apps/shop/live/rehearse/"))
    assert "last phase" in page and 'name="comment"' not in page


def test_what_a_rollback_left_is_held_on_its_page_until_it_is_lifted(world):
    browser = world.browser("release-manager")
    browser.post("/apps/shop/stage/rollback/", {"version": "1.0.0", "configuration": "then", "reason": "Slow carts"})
    page = text(browser.get("/apps/shop/releases/1.1.0/"))
    assert "Held in <bdi>Stage</bdi>" in page and "Slow carts" in page
    again = "/apps/shop/stage/promote/?version=1.1.0"
    assert "A rollback left 1.1.0 there" in text(browser.get(again)) and "Slow carts" in text(browser.get(again))
    lift = "/apps/shop/releases/1.1.0/holds/stage/lift/"
    assert lift in page and lift not in text(world.browser("devops").get("/apps/shop/releases/1.1.0/"))
    assert "Slow carts" in text(browser.get(lift))
    assert browser.post(lift, {"comment": "Mended"})["Location"] == "/apps/shop/releases/1.1.0/"
    assert "Held in <bdi>Stage</bdi>" not in text(browser.get("/apps/shop/releases/1.1.0/"))
    assert "A rollback left" not in text(browser.get(again))


def test_live_is_rolled_back_from_the_board_where_that_leads_somewhere(world):
    link = 'href="/apps/shop/live/rollback/"'
    assert link not in text(world.browser("release-manager").get("/board/"))
    promotion = world.promotions["waiting"]
    Promotion.objects.filter(pk=promotion.pk).update(status="succeeded", finished_at=Now())
    assert link in text(world.browser("release-manager").get("/board/"))
    assert link not in text(world.browser("developer").get("/board/"))
    page = text(world.browser("release-manager").get("/apps/shop/live/rollback/"))
    assert "From 1.1.0 to 1.0.0." in page and 'name="version" value="1.0.0"' in page


def test_a_phase_rolls_back_without_asking(world):
    sent = {"name": "QA", "slug": "qa", "auto_rollback": "on"}
    assert world.browser("devops").post("/pipelines/shop/qa/edit/", sent).status_code == 302
    assert Phase.objects.get(pipeline__slug="shop", slug="qa").auto_rollback
    assert "rolled back without asking" in text(world.browser("developer").get("/pipelines/shop/qa/"))


def test_cancel(world, waiting):
    answer = world.browser("release-manager").post(f"/promotions/{waiting}/cancel/", {"comment": "Not today"})
    assert answer["Location"] == f"/promotions/{waiting}/"
    assert Promotion.objects.get(pk=waiting).status == "cancelled"


def test_what_is_over_cannot_be_aborted_and_the_dialog_says_so(world):
    live = world.promotions["live"].pk
    answer = world.browser("release-manager").post(f"/promotions/{live}/abort/", {"comment": "Stop it"})
    assert answer.status_code == 409
    assert "Stop it" in text(answer)


def test_a_rollback_says_which_secrets_are_older_and_when_the_release_ran_there(world):
    stage, devops = world.shop.environments["stage"], world.shop.actor("devops")
    page = "/apps/shop/stage/rollback/"
    assert "It ran here until <time" in text(world.browser("release-manager").get(page))
    old, new = ({"TOKEN": {"value": value, "secret": True}, "COLOUR": value} for value in ("hush-one", "hush-two"))
    places.set_configuration(stage, old, actor=devops)
    world.shop.bring(world.shop.release("1.1.5"), "dev", "qa", "stage")
    world.shop.bring(world.shop.release("1.1.6"), "dev", "qa", "stage")
    assert 'id="older-secrets"' not in text(world.browser("release-manager").get(page))
    places.set_configuration(stage, new, actor=devops)
    shown = text(world.browser("release-manager").get(page))
    said = shown.partition('id="older-secrets"')[2].partition("</div>")[0]
    assert "<code>TOKEN</code> was given a new value" in said and "COLOUR" not in said


def test_the_dialog_of_a_retry_says_what_it_repeats(world):
    shop = world.shop
    places.edit_environment(shop.environments["dev"], actor=shop.actor("devops"), settings={"steps": [{"do": "fail"}]})
    failed = factories.run(shop.ask(world.releases["1.2.0"], "dev"))
    shown = text(world.browser("developer").get(f"/promotions/{failed.pk}/retry/"))
    assert (
        "All gates are asked again" in shown
        and "run again, and find what is already there" in shown
        and "It is as it was." in shown
    )


def test_reject_says_what_stays_and_who_asked(world, waiting):
    shown = text(world.browser("business-owner").get(f"/promotions/{waiting}/reject/"))
    assert "<bdi>Shop Release Manager</bdi> asked for." in shown
    assert "<bdi>Live</bdi> stays at 1.0.0. 1.1.0 can be asked for again" in shown


def test_reject_needs_a_comment(world, waiting):
    browser = world.browser("business-owner")
    assert browser.post(f"/promotions/{waiting}/reject/", {"comment": ""}).status_code == 400
    assert browser.post(f"/promotions/{waiting}/reject/", {"comment": "The prices are wrong."}).status_code == 302
    assert Promotion.objects.get(pk=waiting).status == "rejected"


def test_retry(world, waiting):
    browser = world.browser("release-manager")
    browser.post(f"/promotions/{waiting}/cancel/", {})
    answer = browser.post(f"/promotions/{waiting}/retry/", {"comment": "Now"})
    assert answer["Location"] == f"/promotions/{Promotion.objects.latest('pk').pk}/"
    assert Promotion.objects.latest("pk").retry_of_id == waiting


@pytest.mark.parametrize("word,status", [("done", "succeeded"), ("failed", "failed")])
def test_resolve(world, waiting, word, status):
    Promotion.objects.filter(pk=waiting).update(status="errored", finished_at=Now())
    browser = world.browser("release-manager")
    assert "How do you know" in text(browser.get(f"/promotions/{waiting}/"))
    empty = browser.post(f"/promotions/{waiting}/resolve/", {"as": word})
    assert empty.status_code == 400 and "Say how you know." in text(empty)
    assert browser.post(f"/promotions/{waiting}/resolve/", {"as": word, "reason": "I looked."}).status_code == 302
    assert Promotion.objects.get(pk=waiting).status == status


# --- decisions


def test_approve_withdraw_and_reject(world, waiting):
    browser = world.browser("business-owner")
    seal = Promotion.objects.get(pk=waiting).seal
    page = text(browser.get(f"/approvals/{waiting}/"))
    assert f'name="seal" value="{seal}"' in page
    answer = browser.post(f"/approvals/{waiting}/", {"decision": "approve", "seal": seal, "comment": "Fine"})
    assert answer["Location"] == f"/approvals/{waiting}/"
    assert Approval.objects.get(promotion=waiting, voided_at=None).comment == "Fine"
    assert browser.post(f"/approvals/{waiting}/", {"decision": "withdraw"}).status_code == 302
    assert not Approval.objects.filter(promotion=waiting, voided_at=None).exists()
    empty = browser.post(f"/approvals/{waiting}/", {"decision": "reject", "seal": seal, "comment": ""})
    assert empty.status_code == 400 and "Say what has to change." in text(empty)
    browser.post(f"/approvals/{waiting}/", {"decision": "reject", "seal": seal, "comment": "No"})
    assert Promotion.objects.get(pk=waiting).status == "rejected"


def test_what_changed_meanwhile_is_said_and_nothing_is_decided(world, waiting):
    sent = {"decision": "approve", "seal": "0" * 64, "comment": "As I saw it"}
    answer = world.browser("business-owner").post(f"/approvals/{waiting}/", sent)
    assert answer.status_code == 409
    assert "Nothing was decided" in text(answer) and "As I saw it" in text(answer)
    assert not Approval.objects.filter(promotion=waiting).exists()


def test_who_asked_cannot_decide(world, waiting):
    answer = world.browser("release-manager").post(f"/approvals/{waiting}/", {"decision": "approve"})
    assert answer.status_code == 403
    assert not Approval.objects.filter(promotion=waiting).exists()


def test_who_comes_too_late_is_told_who_was_first(world, waiting):
    path = f"/approvals/{waiting}/"
    seal = Promotion.objects.get(pk=waiting).seal
    world.browser("qa-engineer").post(path, {"decision": "reject", "comment": "It loses orders."})
    late = world.browser("business-owner").post(path, {"decision": "approve", "seal": seal, "comment": "Go"})
    assert late.status_code == 409
    assert "Your decision was not saved." in text(late) and "Rejected by Shop Qa Engineer" in text(late)
    assert "“It loses orders.”" in text(late) and "Did not decide" not in text(late)
    assert not Approval.objects.filter(promotion=waiting, person=world.user("business-owner")).exists()


def test_what_changed_while_it_was_read_is_not_signed_and_the_comment_stays(world, waiting):
    path = f"/approvals/{waiting}/"
    sent = {"decision": "approve", "seal": "0" * 64, "comment": "Looks right"}
    answer = world.browser("business-owner").post(path, sent)
    assert answer.status_code == 409
    assert text(answer).count("Your decision was not saved.") == 1
    assert "Looks right" in text(answer) and "What you typed is still there." in text(answer)


def test_an_expired_request_says_what_stays(world, waiting):
    Promotion.objects.filter(pk=waiting).update(
        status="expired", finished_at=Now(), reason="Nobody decided before its deadline."
    )
    said = text(world.browser("business-owner").get(f"/approvals/{waiting}/"))
    assert (
        "so the request expired" in said
        and "Live stays at 1.0.0." in said
        and "Did not decide" in said
        and "“Nobody decided" not in said
    )
    assert 'name="decision"' not in said


def test_an_odd_decision_is_no_decision(world, waiting):
    assert world.browser("business-owner").post(f"/approvals/{waiting}/", {"decision": "maybe"}).status_code == 400


# --- releases


def upload(browser, version, data, **fields):
    file = SimpleUploadedFile("shop.tar.gz", data)
    return browser.post("/apps/shop/releases/new/", {"version": version, "artifact": file, **fields})


def test_publish(world):
    data = factories.archive("2.0.0").path.read_bytes()
    sent = {"notes": "Loyalty points", "changes": "feature: Loyalty points (SHOP-2210)\n\nTidy up"}
    answer = upload(world.browser("developer"), "2.0.0", data, **sent)
    assert answer["Location"] == "/apps/shop/releases/2.0.0/"
    release = Release.objects.get(version="2.0.0")
    assert [(one.kind, one.title, one.ticket) for one in release.changes.all()] == [
        ("feature", "Loyalty points", "SHOP-2210"),
        ("", "Tidy up", ""),
    ]
    assert "2.0.0 is published." in said(answer)
    assert upload(world.browser("developer"), "2.0.0", data).status_code == 302


def test_a_refused_archive_lists_every_error_and_keeps_what_was_typed(world):
    answer = upload(world.browser("developer"), "2.0.0", b"no archive", notes="Loyalty points")
    assert answer.status_code == 422
    assert "Refused" in text(answer) and "Loyalty points" in text(answer)
    assert "{&#x27;place" not in text(answer)
    assert not Release.objects.filter(version="2.0.0").exists()


ROWS = {
    "change_kind": ["feature", "", "fix"],
    "change_title": ["Points", "", "Rounding"],
    "change_ticket": ["A-1", "", ""],
}


def test_changes_are_typed_in_rows(world):
    data = factories.archive("2.0.0").path.read_bytes()
    assert upload(world.browser("developer"), "2.0.0", data, changes="Tidy up", **ROWS).status_code == 302
    assert [(one.kind, one.title, one.ticket) for one in Release.objects.get(version="2.0.0").changes.all()] == [
        ("feature", "Points", "A-1"),
        ("fix", "Rounding", ""),
        ("", "Tidy up", ""),
    ]


@pytest.mark.parametrize(
    ("button", "titles"), [({"add": "1"}, ["Points", "", "Rounding", ""]), ({"remove": "0"}, ["", "Rounding"])]
)
def test_rows_are_added_and_removed_without_scripts(world, button, titles):
    answer = world.browser("developer").post("/apps/shop/releases/new/", {"version": "2.0.0", **ROWS, **button})
    shown = re.findall(r'name="change_title" value="([^"]*)"', text(answer))
    assert answer.status_code == 200 and shown == titles
    assert 'value="2.0.0"' in text(answer) and "Choose the archive again" in text(answer)
    assert "Choose the archive." not in text(answer)  # nothing is judged before it is published


def test_a_row_without_words_is_refused_and_kept(world):
    data = factories.archive("2.0.0").path.read_bytes()
    answer = upload(world.browser("developer"), "2.0.0", data, change_kind="odd", change_title="", change_ticket="A-7")
    assert answer.status_code == 400 and "Change 1: say" in text(answer)
    assert 'value="A-7"' in text(answer) and '<option value="odd" selected>' in text(answer)
    assert "Choose the archive again" in text(answer)


def manifest(world, toml, who="developer"):
    return text(world.browser(who).post("/apps/shop/releases/new/manifest/", {"manifest": toml}))


def test_a_manifest_is_read_before_its_archive_is_sent(world):
    places.set_configuration(world.shop.environments["dev"], {"URL": "x"}, actor=world.shop.actor("devops"))
    said = manifest(
        world, '[run]\ncommand = "python3 app.py"\nhealth = "/healthz"\n[configuration]\nrequired = ["URL"]\n'
    )
    assert "python3 app.py" in said and said.count(">URL</span>") == 4  # required, and lacking in three
    assert 'href="/apps/shop/dev/configuration/"' not in said and 'href="/apps/shop/live/configuration/"' in said
    wrong = manifest(world, "[run]\ncommand = 'x'\n[konfiguration]\n")
    assert "The key &#x27;health&#x27; is missing." in wrong and "Did you mean" in wrong
    assert "is too large" in manifest(world, "#" * 70_000)


def test_a_release_says_what_its_manifest_asks_for(world):
    Release.objects.filter(version="1.1.0").update(
        manifest={"run": {"command": "run-it", "health": "/up"}, "configuration": {"required": ["URL"]}}
    )
    said = text(world.browser("release-manager").get("/apps/shop/releases/1.1.0/"))
    assert "run-it" in said and "/up" in said and 'href="/apps/shop/live/configuration/"' in said


def test_another_file_for_the_same_version_is_a_conflict(world):
    data = factories.archive("1.0.0", content="another").path.read_bytes()
    assert upload(world.browser("developer"), "1.0.0", data).status_code == 409


def test_who_may_not_publish_is_told_before_the_upload(world):
    assert upload(world.browser("devops"), "2.0.0", b"x").status_code == 403
    assert upload(world.browser("outsider"), "2.0.0", b"x").status_code == 404
    assert upload(world.browser("anonymous"), "2.0.0", b"x").status_code == 302


@pytest.mark.parametrize("word", ["yank", "quarantine"])
def test_withdraw_a_release(world, word):
    browser = world.browser("release-manager")
    path = f"/apps/shop/releases/1.1.0/{word}/"
    assert browser.get(path).status_code == 200
    empty = browser.post(path, {"reason": ""})
    assert empty.status_code == 400 and "Say why." in text(empty)
    assert browser.post(path, {"reason": "It loses orders."})["Location"] == "/apps/shop/releases/1.1.0/"
    assert Release.objects.get(version="1.1.0").withdrawn == {"yank": "yanked", "quarantine": "quarantined"}[word]


# --- environments


def test_set_and_remove_a_key(world):
    browser = world.browser("devops")
    path = "/apps/shop/dev/configuration/"
    assert browser.post(path, {"key": "GREETING", "value": "Hello\r\nyou"})["Location"] == path
    assert browser.post(path, {"key": "DATABASE", "value": "s3cret-value", "secret": "on"}).status_code == 302
    page = text(browser.get(path))
    assert "GREETING" in page and "DATABASE" in page and "s3cret-value" not in page
    assert Variable.objects.get(key="GREETING").value == "Hello\nyou"
    gone = browser.post(f"{path}GREETING/remove/")
    assert gone["Location"] == path and "GREETING is removed" in said(gone)
    assert not Variable.objects.filter(key="GREETING").exists()
    assert browser.get(f"{path}GREETING/remove/").status_code == 404


def test_a_key_is_changed_from_its_row_without_typing_its_name(world):
    browser, path = world.browser("devops"), "/apps/shop/dev/configuration/"
    browser.post(path, {"key": "GREETING", "value": "Hello"})
    assert f'href="{path}GREETING/" data-dialog' in text(browser.get(path))
    assert f"{path}GREETING/" not in text(world.browser("developer").get(path))
    assert "Hello</textarea>" in text(browser.get(f"{path}GREETING/"))
    assert "GREETING is set" in said(browser.post(f"{path}GREETING/", {"value": "Good day"}))
    assert Variable.objects.get(key="GREETING").value == "Good day"
    assert "GREETING is as it was" in said(browser.post(f"{path}GREETING/", {"value": "Good day"}))
    assert browser.get(f"{path}UNKNOWN/").status_code == 404


def test_a_secret_left_empty_keeps_its_value_and_is_never_shown(world):
    browser, path = world.browser("devops"), "/apps/shop/dev/configuration/"
    browser.post(path, {"key": "DATABASE", "value": "s3cret-value", "secret": "on"})
    before = Variable.objects.get(key="DATABASE")
    assert "s3cret-value" not in text(browser.get(f"{path}DATABASE/"))
    browser.post(f"{path}DATABASE/", {"value": "", "secret": "on"})
    assert Variable.objects.get(key="DATABASE").ciphertext == before.ciphertext
    open_up = browser.post(f"{path}DATABASE/", {"value": ""})
    assert open_up.status_code == 400 and "give a new value to make it plain" in text(open_up)
    browser.post(f"{path}DATABASE/", {"value": "other-value", "secret": "on"})
    assert Variable.objects.get(key="DATABASE").version == before.version + 1


def test_changing_a_key_says_whose_approvals_it_voids(world, waiting):
    browser, path = world.browser("devops"), "/apps/shop/live/configuration/"
    world.browser("qa-engineer").post(f"/approvals/{waiting}/", {"decision": "approve"})
    browser.post(path, {"key": "GREETING", "value": "Hello"})
    assert "1.1.0 loses 1 approval" in text(browser.get(f"{path}GREETING/"))
    Approval.objects.update(voided_at=Now())
    assert "loses" not in text(browser.get(f"{path}GREETING/"))


def test_settings_are_said_in_words_and_written_one_a_line(world):
    browser, path = world.browser("devops"), "/apps/shop/dev/"
    lines = "verify.passes = 2\nverify.within = 20\nsteps = 2"
    browser.post(f"{path}edit/", {"instances": "1", "settings": lines})
    stored = Environment.objects.get(application__slug="shop", phase__slug="dev").settings
    assert stored == {"verify": {"passes": 2, "within": 20}, "steps": 2}
    assert "2 passes, within 20 s" in text(browser.get(path))
    shown = text(browser.get(f"{path}edit/"))
    assert all(line in shown for line in lines.splitlines())
    refused = browser.post(f"{path}edit/", {"instances": "1", "settings": "steps = 5\nsteps.more = 1"})
    assert refused.status_code == 400 and "steps has a value of its own" in text(refused)


def test_many_keys_are_searched_and_chosen_from(world):
    browser, path = world.browser("devops"), "/apps/shop/dev/configuration/"
    assert "Key or value" not in text(browser.get(path))
    values = {f"KEY_{number}": f"value {number}" for number in range(8)}
    places.set_configuration(world.shop.environments["dev"], values, actor=world.shop.actor("devops"))
    found = text(browser.get(f"{path}?q=value 3"))
    assert "KEY_3" in found.replace("value 3", "") and "KEY_4" not in found.partition('id="k-h"')[2].partition("id=")[0]
    assert "No key fits." in text(browser.get(f"{path}?only=secret"))


def test_a_key_that_cannot_be_set_is_said_and_kept(world):
    answer = world.browser("devops").post("/apps/shop/dev/configuration/", {"key": "RELMAN_URL", "value": "kept here"})
    assert answer.status_code == 400
    assert "kept here" in text(answer)


def test_a_secret_never_comes_back_when_the_form_is_refused(world):
    sent = {"key": "1 bad", "value": "s3cret-value", "secret": "on"}
    answer = world.browser("devops").post("/apps/shop/dev/configuration/", sent)
    assert answer.status_code == 400
    assert "s3cret-value" not in text(answer)


def test_lock_and_unlock(world):
    browser = world.browser("devops")
    assert browser.post("/apps/shop/live/lock/", {"reason": "Audit"})["Location"] == "/apps/shop/live/"
    assert Lock.objects.get(released_at=None).reason == "Audit"
    again = browser.post("/apps/shop/live/lock/", {"reason": "Once more"})
    assert again.status_code == 409 and "Once more" in text(again)
    assert browser.get("/apps/shop/live/unlock/").status_code == 200
    assert browser.post("/apps/shop/live/unlock/").status_code == 302
    assert not Lock.objects.filter(released_at=None).exists()
    assert browser.post("/apps/shop/live/unlock/").status_code == 409


def test_a_lock_says_until_when_in_the_zone_of_the_reader(world):
    user = world.user("devops")
    user.time_zone = "Asia/Tokyo"
    user.save()
    browser, page = world.browser("devops"), "/apps/shop/live/"
    unsaid = browser.post(f"{page}lock/", {"reason": "Audit", "ends": "at"})
    assert unsaid.status_code == 400 and "Say until when" in text(unsaid) and "Audit" in text(unsaid)
    over = browser.post(f"{page}lock/", {"reason": "Audit", "ends": "at", "until": "2020-06-17T06:00"})
    assert over.status_code == 400 and "That time is over" in text(over) and "2020-06-17T06:00" in text(over)
    browser.post(f"{page}lock/", {"reason": "Audit", "ends": "at", "until": "2099-06-17T06:00"})
    assert Lock.objects.get(released_at=None).until == datetime(2099, 6, 16, 21, tzinfo=UTC)
    for shown in (text(browser.get(page)), text(browser.get(f"{page}unlock/"))):
        assert ">2099-06-17 06:00</time> (Asia/Tokyo)" in shown
    assert "until <b>2099-06-17 06:00</b>: Audit" in text(browser.get("/board/"))


def test_a_lock_that_somebody_ends_takes_no_time_that_was_typed_beside_it(world):
    sent = {"reason": "Audit", "ends": "open", "until": "2020-06-17T06:00"}
    world.browser("devops").post("/apps/shop/live/lock/", sent)
    assert Lock.objects.get(released_at=None).until is None


def test_lock_and_unlock_a_whole_phase(world):
    browser, page = world.browser("devops"), "/pipelines/shop/live/"
    assert f'href="{page}lock/"' in text(browser.get(page))
    asked = text(browser.get(f"{page}lock/"))
    assert "Lock all of Live" in asked and "This holds 1 promotion:</b> Shop 1.1.0." in asked
    unsaid = browser.post(f"{page}lock/", {"reason": " "})
    assert unsaid.status_code == 400 and "Say why" in text(unsaid)
    assert browser.post(f"{page}lock/", {"reason": "Stocktaking"})["Location"] == page
    assert Lock.objects.get(released_at=None).phase == world.shop.phase("live")
    again = browser.post(f"{page}lock/", {"reason": "Once more"})
    assert again.status_code == 409 and "Once more" in text(again)
    shown = text(browser.get(page))
    assert f'href="{page}unlock/"' in shown and f'href="{page}lock/"' not in shown
    assert "Stocktaking" in text(browser.get(f"{page}unlock/"))
    assert browser.post(f"{page}unlock/")["Location"] == page
    assert not Lock.objects.filter(released_at=None).exists()
    assert browser.post(f"{page}unlock/").status_code == 409


def test_everybody_reads_that_the_phase_is_locked_and_only_who_may_is_offered_more(world):
    places.lock(world.shop.phase("live"), actor=world.shop.actor("devops"), reason="Stocktaking")
    browser = world.browser("developer")
    for page in ("/pipelines/shop/live/", "/apps/shop/live/", f"/promotions/{world.promotions['waiting'].pk}/"):
        shown = text(browser.get(page))
        assert "Shop Devops" in shown and "Stocktaking" in shown, page
        assert "lock/" not in shown, page
    assert "All of Live is locked" in text(browser.get("/apps/shop/live/"))


def test_the_lock_of_the_environment_itself_is_the_one_that_its_dialog_names(world):
    places.lock(world.shop.phase("live"), actor=world.shop.actor("devops"), reason="Stocktaking")
    browser = world.browser("devops")
    assert "It is not locked any more" in text(browser.get("/apps/shop/live/unlock/"))
    browser.post("/apps/shop/live/lock/", {"reason": "Audit"})
    shown = text(browser.get("/apps/shop/live/unlock/"))
    assert "Audit" in shown and "Stocktaking" not in shown


def test_check_an_environment(world):
    answer = world.browser("devops").post("/apps/shop/dev/check/")
    assert answer["Location"] == "/apps/shop/dev/" and "is ready" in said(answer)


def test_edit_an_environment(world):
    browser = world.browser("devops")
    assert browser.get("/apps/shop/dev/edit/").status_code == 200
    sent = {"instances": "3", "memory": "512", "cpu": "0.5", "settings": 'steps = 5\nversion = "x"\nhealth = two words'}
    assert browser.post("/apps/shop/dev/edit/", sent).status_code == 302
    found = Environment.objects.get(application__slug="shop", phase__slug="dev")
    assert (found.instances, found.memory, found.settings) == (
        3,
        512,
        {"steps": 5, "version": "x", "health": "two words"},
    )
    bad = browser.post("/apps/shop/dev/edit/", {"instances": "99", "settings": "no sign"})
    assert bad.status_code == 400 and "no sign" in text(bad)
    bad = browser.post("/apps/shop/dev/edit/", {"instances": "3", "settings": 'verify = {"within": 1e9}'})
    assert bad.status_code == 400 and "“within” of “verify” is a number from 0 to 600" in text(bad)
    assert "1e9" in text(bad)  # what was typed stays
    found.refresh_from_db()
    assert found.settings["steps"] == 5


def test_components(world):
    browser = world.browser("devops")
    sent = {"kind": "database", "name": "Orders", "identifier": "pg-1", "size": "2 nodes"}
    assert browser.post("/apps/shop/dev/components/new/", sent).status_code == 302
    made = Component.objects.get(name="Orders")
    assert browser.post(f"/apps/shop/dev/components/{made.pk}/remove/").status_code == 302
    assert not Component.objects.exists()
    assert browser.get(f"/apps/shop/dev/components/{made.pk}/remove/").status_code == 404


def test_an_environment_with_history_is_not_removed(world):
    assert world.browser("devops").post("/apps/shop/dev/remove/").status_code == 409


# --- pipelines and applications


def test_from_nothing_to_an_environment(world):
    browser = world.browser("admin")
    sent = {
        "name": "Café & Bar",
        "slug": "cafe",
        "layout": "own",
        "phases": "Dev\nUser acceptance, uat\n\nLive, public",
    }
    assert browser.post("/pipelines/new/", sent)["Location"] == "/pipelines/cafe/"
    phases = Phase.objects.filter(pipeline__slug="cafe").order_by("position")
    assert [(one.slug, one.name, one.public) for one in phases] == [
        ("dev", "Dev", False), ("uat", "User acceptance", False), ("live", "Live", True),
    ]  # fmt: skip
    assert browser.post("/apps/new/", {"pipeline": "cafe", "name": "Espresso"})["Location"] == "/apps/espresso/"
    assert Application.objects.get(slug="espresso").pipeline.slug == "cafe"
    places.grant(Role.objects.get(slug="devops"), phases[0], actor=factories.administrator(), user=world.user("admin"))
    assert browser.get("/apps/espresso/dev/new/").status_code == 200
    assert browser.post("/apps/espresso/dev/new/", {"driver": "scripted", "instances": "1"}).status_code == 302
    assert Environment.objects.filter(application__slug="espresso").exists()


def test_a_pipeline_from_a_template(world):
    browser = world.browser("admin")
    assert browser.get("/pipelines/new/").status_code == 200
    assert browser.post("/pipelines/new/", {"name": "Shop two", "layout": "demo-live"}).status_code == 302
    assert Pipeline.objects.get(slug="shop-two").phases.count() == 2
    taken = browser.post("/pipelines/new/", {"name": "Shop", "layout": "demo-live", "description": "kept"})
    assert taken.status_code == 409 and "kept" in text(taken)


def test_phases_are_added_moved_edited_and_removed(world):
    browser = world.browser("devops")
    sent = {"add": "1", "name": "Demo", "slug": "demo", "after": "qa", "like": "qa", "optional": "on"}
    assert browser.post("/pipelines/shop/", sent).status_code == 302

    def order():
        rows = Phase.objects.filter(pipeline__slug="shop").order_by("position")
        return list(rows.values_list("slug", flat=True))

    assert order() == ["dev", "qa", "demo", "stage", "live"]
    assert browser.post("/pipelines/shop/", {"earlier": "demo"}).status_code == 302
    assert order() == ["dev", "demo", "qa", "stage", "live"]
    assert browser.get("/pipelines/shop/demo/edit/").status_code == 200
    assert (
        browser.post("/pipelines/shop/demo/edit/", {"name": "Show", "slug": "show"})["Location"]
        == "/pipelines/shop/show/"
    )
    assert browser.post("/pipelines/shop/show/remove/").status_code == 302
    assert order() == ["dev", "qa", "stage", "live"]
    assert browser.post("/pipelines/shop/qa/remove/").status_code == 409


def test_a_pipeline_and_an_application_are_edited(world):
    browser = world.browser("devops")
    assert browser.get("/pipelines/shop/edit/").status_code == 200
    sent = {"name": "The shop", "description": "All", "prerelease_until": "qa"}
    assert browser.post("/pipelines/shop/edit/", sent).status_code == 302
    assert Pipeline.objects.filter(slug="shop", prerelease_until__slug="qa").exists()
    assert browser.post("/pipelines/shop/edit/", {**sent, "prerelease_until": ""}).status_code == 302
    assert Pipeline.objects.get(slug="shop").prerelease_until is None
    assert browser.post("/apps/shop/edit/", {"name": "Shop 2"})["Location"] == "/apps/shop/"
    assert Application.objects.get(slug="shop").name == "Shop 2"


def test_a_developer_changes_no_pipeline(world):
    browser = world.browser("developer")
    for path in ("/pipelines/new/", "/apps/new/", "/pipelines/shop/edit/", "/apps/shop/edit/", "/apps/shop/qa/edit/",
                 "/pipelines/shop/qa/edit/", "/pipelines/shop/qa/remove/", "/pipelines/shop/phases/new/"):  # fmt: skip
        assert browser.get(path).status_code == 403
    assert browser.post("/pipelines/shop/", {"earlier": "qa"}).status_code == 403


def test_a_version_with_a_plus_is_promoted_by_the_button_of_every_page(world):
    build = world.shop.release("1.3.0+build.7")
    world.shop.bring(build, "dev")
    browser = world.browser("qa-engineer")
    for page in ("/apps/shop/releases/", "/apps/shop/releases/1.3.0+build.7/"):
        ways = re.findall(r'href="([^"]*/qa/promote/\?version=1.3[^"]*)"', text(browser.get(page)))
        assert ways, page
        for way in ways:
            assert "Promote Shop 1.3.0+build.7 to QA?" in text(browser.get(html.unescape(way))), (page, way)


def test_a_decision_that_is_over_still_tells_what_it_replaced(world):
    shop = world.shop
    places.set_configuration(shop.environments["live"], {"URL": "x"}, actor=shop.actor("devops"))
    first = shop.bring(world.releases["1.0.0"], "live")
    done = shop.bring(world.releases["1.1.0"], "live")
    for promotion, configured in ((done, "No value changes"), (first, "1 value changes, 0 stay")):
        shown = text(world.browser("business-owner").get(f"/approvals/{promotion.pk}/"))
        assert f"{promotion.release.version} got to Live" in shown and configured in shown
        assert "It is the first here." not in shown
