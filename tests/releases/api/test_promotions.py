"""Asking for promotions, deciding on them, and following them, over the API."""

from __future__ import annotations

import pytest

from phases import actions as places
from releases.models import Promotion
from relman.audit.models import Event
from tests.client import good, refused
from tests.factories import run
from tests.releases.test_engine import remake


def wish(phase="dev", version="1.0.0", **more):
    return {"application": "shop", "version": version, "phase": phase, **more}


def test_a_promotion_is_asked_for_and_followed(shop, api):
    shop.release()
    made = good(api("developer").post("promotions/", wish(comment="Please.")), 201)
    assert (made["status"], made["kind"], made["phase"]) == ("queued", "deploy", "dev")
    assert made["digest"].startswith("sha256:")
    assert {one["state"] for one in made["verdicts"]} == {"passed"}
    assert set(made["verdicts"][0]) == {"gate", "state", "reason", "who", "earliest", "link"}
    run(Promotion.objects.get())
    read = good(api("stakeholder").get("environments/shop/qa/"))
    assert read["version"] is None
    place = f"promotions/{made['id']}/"
    after = good(api("developer").get(place))
    assert after["status"] == "succeeded"
    assert {step["status"] for step in after["steps"]} <= {"succeeded", "skipped"}
    here = good(api("developer").get("environments/shop/dev/"))
    assert (here["version"], here["digest"]) == ("1.0.0", made["digest"])
    assert here["since"] and here["address"].startswith("http://shop.dev.localhost:")
    assert here["health"] in ("healthy", "unhealthy", "unknown")


def test_nothing_live_is_nulls(api):
    here = good(api("stakeholder").get("environments/shop/live/"))
    assert (here["version"], here["since"], here["digest"], here["health"]) == (None, None, None, "unknown")


def test_a_gate_refuses_with_its_verdicts(shop, api):
    shop.release()
    problem = refused(api("release-manager").post("promotions/", wish("live")), 409, "refused")
    order = next(one for one in problem["verdicts"] if one["gate"] == "order")
    assert order["state"] == "failed"
    assert Promotion.objects.count() == 0
    event = Event.objects.get(outcome="refused")
    assert (event.verb, event.via) == ("promotion.requested", "api")


def test_the_wrong_right_names_the_roles_and_is_recorded(shop, api):
    shop.release()
    problem = refused(api("stakeholder").post("promotions/", wish("qa")), 403, "forbidden")
    assert "QA engineer" in problem["roles"]
    assert Event.objects.filter(outcome="refused").count() == 1


def test_the_invisible_does_not_exist(shop, api, outsider):
    shop.release()
    refused(outsider.post("promotions/", wish()), 404)
    refused(api("developer").post("promotions/", wish(version="9.9.9")), 404)
    refused(api("developer").post("promotions/", wish("moon")), 404)
    number = good(api("developer").post("promotions/", wish()), 201)["id"]
    refused(api("stakeholder").get(f"promotions/{number}/"), 404)  # sees qa, stage and live only
    for path in ("", "log/"):
        refused(outsider.get(f"promotions/{number}/{path}"), 404)
    for verb in ("approve", "reject", "cancel", "abort", "retry", "withdraw"):
        refused(outsider.post(f"promotions/{number}/{verb}/", {"comment": "x"} if verb != "withdraw" else {}), 404)
    assert good(outsider.get("promotions/"))["results"] == []
    assert good(outsider.get("promotions/?application=shop"))["results"] == []


@pytest.mark.parametrize("extra", ["status", "epoch", "digest", "requested_by", "seal", "kind"])
def test_extra_fields_are_400(shop, api, extra):
    shop.release()
    problem = refused(api("developer").post("promotions/", wish(**{extra: "succeeded"})), 400, "invalid")
    assert list(problem["fields"]) == [extra]


@pytest.mark.parametrize(
    "body", ["", "[]", "null", "{", '"text"', '{"application": "\\u0000", "version": "1", "phase": "dev"}', "NaN"]
)
def test_malformed_bodies_are_400(api, body):
    refused(api("developer").call("POST", "promotions/", body), 400)
    assert not Promotion.objects.exists()


def test_two_approve_and_one_seal_is_stale(shop, api):
    release = shop.release()
    shop.bring(release, "dev", "qa", "stage")
    asked = good(api("release-manager").post("promotions/", wish("live")), 201)
    assert asked["status"] == "waiting"
    place = f"promotions/{asked['id']}/"
    refused(api("developer").post(place + "approve/"), 403)
    refused(api("business-owner").post(place + "approve/", {"seal": "0" * 64}), 409)
    half = good(api("business-owner").post(place + "approve/", {"seal": asked["seal"], "comment": "Yes."}))
    assert half["status"] == "waiting"
    assert half["approvals"][0]["person"]["username"] == "shop-business-owner"
    refused(api("business-owner").post(place + "approve/"), 409)
    assert good(api("qa-engineer").post(place + "approve/"))["status"] == "queued"
    assert good(api("qa-engineer").post(place + "withdraw/"))["status"] == "waiting"


def test_a_no_needs_a_comment_and_ends_it(shop, api):
    shop.bring(shop.release(), "dev", "qa", "stage")
    number = good(api("release-manager").post("promotions/", wish("live")), 201)["id"]
    problem = refused(api("business-owner").post(f"promotions/{number}/reject/"), 400)
    assert "comment" in problem["fields"]
    refused(api("business-owner").post(f"promotions/{number}/reject/", {"comment": "  "}), 400)
    ended = good(api("business-owner").post(f"promotions/{number}/reject/", {"comment": "Not today."}))
    assert ended["status"] == "rejected"
    refused(api("business-owner").post(f"promotions/{number}/approve/"), 409)


def test_cancel_once(shop, api):
    shop.release()
    number = good(api("developer").post("promotions/", wish()), 201)["id"]
    refused(api("developer").post(f"promotions/{number}/abort/"), 409)
    assert good(api("developer").post(f"promotions/{number}/cancel/", {"comment": "Oops."}))["status"] == "cancelled"
    refused(api("developer").post(f"promotions/{number}/cancel/"), 409)
    refused(api("developer").post(f"promotions/{number}/resolve/", {"as": "done"}), 409)
    refused(api("developer").post(f"promotions/{number}/resolve/", {"as": "maybe"}), 400)
    again = good(api("developer").post(f"promotions/{number}/retry/"), 201)
    assert again["retry_of"] == number


def test_the_way_back(shop, api):
    shop.bring(shop.release("1.0.0"), "dev")
    shop.bring(shop.release("1.1.0"), "dev")
    place = "environments/shop/dev/rollback/"
    refused(api("developer").post(place), 400)
    refused(api("qa-engineer").post(place, {"reason": "x"}), 403)
    refused(api("developer").post(place, {"reason": "x", "version": "7.0.0"}), 404)
    made = good(api("developer").post(place, {"reason": "Broken.", "configuration": "then"}), 201)
    assert (made["version"], made["kind"], made["replaces"]) == ("1.0.0", "rollback", "1.1.0")
    assert run(Promotion.objects.get(pk=made["id"])).status == "succeeded"
    assert good(api("developer").get("environments/shop/dev/"))["version"] == "1.0.0"


def test_what_a_rollback_would_do(shop, api):
    for version in ("1.0.0", "1.1.0"):
        shop.bring(shop.release(version), "dev")
    place = "environments/shop/dev/rollback/"
    assert good(api("stakeholder").get("environments/shop/qa/rollback/"))["allowed"] is False
    shown = good(api("developer").get(place))
    assert (shown["live"], shown["version"], shown["allowed"]) == ("1.1.0", "1.0.0", True)
    assert [one["version"] for one in shown["choices"]] == ["1.0.0"]
    assert (shown["way_back"]["ready"], shown["way_back"]["rehearsal"]) == (True, None)
    refused(api("developer").get(place + "?version=9.9.9"), 404)


def test_a_hold_is_shown_and_lifted(shop, api):
    for version in ("1.0.0", "1.1.0"):
        shop.bring(shop.release(version), "dev")
    made = good(api("developer").post("environments/shop/dev/rollback/", {"reason": "Broken."}), 201)
    place = "applications/shop/releases/1.1.0/"
    held = good(api("developer").get(place))["holds"]
    assert [(one["phase"], one["reason"], one["rollback"]) for one in held] == [("dev", "Broken.", made["id"])]
    assert good(api("stakeholder").get(place))["holds"] == []  # who does not see Dev
    refused(api("devops").post(place + "holds/dev/lift/"), 403)
    assert good(api("developer").post(place + "holds/dev/lift/", {"comment": "Mended."}))["holds"] == []
    refused(api("developer").post(place + "holds/dev/lift/"), 409)


def test_a_rehearsal(shop, api):
    for version in ("1.0.0", "1.1.0"):
        shop.bring(shop.release(version), "dev")
    place = "environments/shop/dev/rehearsal/"
    refused(api("developer").get(place), 404)
    begun = good(api("developer").post(place, {"comment": "Before Friday"}), 201)
    assert (begun["state"], begun["leaves"], begun["to"], begun["forth"]) == ("back", "1.1.0", "1.0.0", None)
    assert refused(api("developer").post(place), 409)["problems"]
    run(Promotion.objects.get(pk=begun["back"]))
    run(Promotion.objects.get(pk=good(api("developer").get(place))["forth"]))
    assert good(api("developer").get(place))["state"] == "passed"
    last = good(api("developer").get("environments/shop/dev/"))["way_back"]["rehearsal"]
    assert (last["state"], last["pair"]) == ("passed", True)


def test_a_phase_that_rolls_back_without_asking(shop, api):
    places.set_phase(shop.phase("dev"), actor=shop.actor("devops"), auto_rollback=True)
    remake(shop, "dev", steps=[{"do": "noop", "lasting": True}])
    shop.bring(shop.release("1.0.0"), "dev")
    remake(shop, "dev", steps=[{"do": "noop", "lasting": True}], health="exit")
    failed = run(shop.ask(shop.release("1.1.0"), "dev"))
    shown = good(api("developer").get(f"promotions/{failed.pk}/"))
    back = good(api("developer").get(f"promotions/{shown['rolled_back_by']}/"))
    assert (back["rolls_back"], back["requested_by"], back["rolled_back_by"]) == (failed.pk, None, None)


def test_the_log_grows_and_says_when_it_is_complete(shop, api):
    promotion = shop.ask(shop.release(), "dev")
    place = f"promotions/{promotion.pk}/log/"
    assert good(api("developer").get(place))["complete"] is False
    run(promotion)
    whole = good(api("developer").get(place))
    assert whole["complete"] is True
    numbers = [line["n"] for line in whole["results"]]
    assert numbers == sorted(numbers)
    if numbers:
        rest = good(api("developer").get(place + f"?after={numbers[0]}"))
        assert [line["n"] for line in rest["results"]] == numbers[1:]
    refused(api("developer").get(place + "?after=-1"), 400)


def test_lists_are_filtered(shop, api):
    shop.bring(shop.release("1.0.0"), "dev")
    shop.ask(shop.release("1.1.0"), "dev")
    reader = api("developer")

    def versions(query):
        return [row["version"] for row in good(reader.get("promotions/?" + query))["results"]]

    assert versions("open=true") == ["1.1.0"]
    assert versions("open=false") == ["1.0.0"]
    assert versions("status=succeeded&phase=dev&application=shop") == ["1.0.0"]
    assert versions("application=nothing") == []
    refused(reader.get("promotions/?status=great"), 400)
    refused(reader.get("promotions/?environment__application__slug=shop"), 400)


def test_the_board_and_the_record(shop, api, outsider):
    shop.bring(shop.release("1.0.0"), "dev")
    shop.ask(shop.release("1.1.0"), "dev")
    row = good(api("developer").get("board/?application=shop"))["results"][0]
    cell = row["phases"][0]
    assert (cell["phase"], cell["version"], cell["environment"]) == ("dev", "1.0.0", True)
    assert cell["promotion"]["version"] == "1.1.0"
    assert row["next"]["text"] and "**" not in row["next"]["text"]
    assert [cell["phase"] for cell in good(api("stakeholder").get("board/"))["results"][0]["phases"]] == [
        "qa", "stage", "live",
    ]  # fmt: skip
    assert [row["application"] for row in good(outsider.get("board/"))["results"]] == ["other"]
    events = good(api("developer").get("events/?verb=promotion&limit=2"))
    assert len(events["results"]) == 2 and events["next"]
    assert all(one["verb"].startswith("promotion.") for one in events["results"])
    assert not [one for one in good(outsider.get("events/"))["results"] if one["application"] == "shop"]
    refused(api("developer").get("events/?since=yesterday"), 400)


def test_a_lock_holds(shop, api):
    refused(api("developer").post("environments/shop/dev/lock/", {"reason": "Stop."}), 403)
    good(api("devops").post("environments/shop/dev/lock/", {"reason": "Stop."}), 201)
    refused(api("devops").post("environments/shop/dev/lock/", {"reason": "Stop."}), 409)
    shop.release()
    made = good(api("developer").post("promotions/", wish()), 201)
    assert made["status"] == "waiting"
    good(api("devops").post("environments/shop/dev/unlock/"))
    refused(api("devops").post("environments/shop/dev/unlock/"), 409, "wrong_state")


def test_a_narrow_token_does_no_more_than_it_says(shop, api):
    shop.release()
    reader = api("developer", rights=["view"])
    problem = refused(reader.post("promotions/", wish()), 403)
    assert "token" in problem["detail"]
    dev = shop.phase("dev")
    elsewhere = api("qa-engineer", phases=[dev])
    refused(elsewhere.get("environments/shop/qa/"), 404)
    other = places.create_application(shop.pipeline, actor=shop.actor("admin"), name="Second", slug="second")
    only = api("developer", applications=[other])
    refused(only.get("environments/shop/dev/"), 404)
    assert [row["slug"] for row in good(only.get("applications/"))["results"]] == ["second"]


def test_the_command_line_is_told_apart(shop, api):
    shop.release()
    good(api("developer", agent="relman-cli").post("promotions/", wish()), 201)
    assert Event.objects.filter(verb="promotion.requested").values_list("via", flat=True).get() == "cli"


def test_the_queue_and_the_emergency_lane(shop, api):
    shop.release()
    refused(api("developer").post("promotions/", wish(emergency=True, reason="Carts")), 403, "forbidden")
    refused(api("release-manager").post("promotions/", wish(emergency=True)), 400, "invalid")
    made = good(api("developer").post("promotions/", wish()), 201)
    assert (made["queue"]["position"], made["queue"]["length"], made["emergency_at"]) == (1, 1, None)
    assert set(made["queue"]) == {"position", "length", "in_front", "more", "estimate", "text"}
    place = f"promotions/{made['id']}/"
    moved = good(api("release-manager").post(f"{place}expedite/", {"reason": "Carts"}))
    assert (moved["emergency_reason"], moved["emergency_by"]["username"]) == ("Carts", "shop-release-manager")
    refused(api("release-manager").post(f"{place}expedite/", {"reason": "Carts"}), 409, "wrong_state")
    run(Promotion.objects.get())
    assert good(api("developer").get(place))["queue"] is None
    listed = good(api("developer").get("promotions/"))["results"]
    assert listed[0]["emergency_reason"] == "Carts"


def test_maintenance(shop, api):
    off = good(api("stakeholder").get("maintenance/"))
    assert (off["on"], off["since"], off["safe_to_stop"]) == (False, None, False)
    refused(api("release-manager").post("maintenance/", {"on": True, "reason": "Disks"}), 403, "forbidden")
    refused(api("admin").post("maintenance/", {"on": True}), 400, "invalid")
    refused(api("admin").post("maintenance/", {"on": False}), 409, "wrong_state")
    on = good(api("admin").post("maintenance/", {"on": True, "reason": "Disks"}))
    assert (on["on"], on["by"], on["reason"], on["safe_to_stop"]) == (True, "Administrator", "Disks", True)
    shop.release()
    held = good(api("developer").post("promotions/", wish()), 201)
    assert held["status"] == "queued" and "maintenance" in held["queue"]["text"]
    assert good(api("developer").get("maintenance/"))["queued"] == 1
    assert good(api("stakeholder").get("maintenance/"))["queued"] == 0
    assert good(api("admin").post("maintenance/", {"on": False}))["on"] is False
