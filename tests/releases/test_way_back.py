"""The way back as a gate: in a phase that asks for it, nothing comes that could not be left again."""

from __future__ import annotations

import pytest

from phases import actions as places
from releases import actions, queries, storage
from releases.engine import sweep
from releases.queries.dialogs import promote_dialog
from releases.queries.offers import preview
from relman.audit.models import Event
from relman.errors import Forbidden, Invalid, Refused
from tests.factories import run

FIXED = {"migrate": {"command": "true", "reversible": False}}


@pytest.fixture
def careful(shop):
    """Dev asks for a way back; 1.0.0 runs there, and was the first, so that nothing was asked."""
    places.set_phase(shop.phase("dev"), actor=shop.actor("devops"), needs_way_back=True)
    shop.environments["dev"] = queries.get_environment(shop.actor("devops"), "shop", "dev")
    shop.bring(shop.release("1.0.0"), "dev")
    return shop


def said(shop, release, phase="dev", **wish):
    actor = shop.actor("developer")
    place = queries.get_environment(actor, "shop", phase)
    return [one for one in preview(release, place, actor=actor, **wish).verdicts if one.gate == "way back"]


def test_where_the_phase_does_not_ask_there_is_no_such_gate(shop):
    shop.bring(shop.release("1.0.0"), "dev")
    assert said(shop, shop.release("1.1.0", manifest=FIXED)) == []


def test_what_can_be_left_again_may_come(careful):
    release = careful.release("1.1.0", manifest={"migrate": {"command": "true", "reversible": True}})
    (verdict,) = said(careful, release)
    assert (verdict.state, verdict.reason) == ("passed", "Back to 1.0.0 is ready.")
    assert careful.bring(release, "dev").status == "succeeded"


def test_without_the_artifact_to_go_back_to_nothing_comes_and_nobody_can_accept_that(careful):
    artifact = careful.application.releases.get().artifacts.get()
    path = storage.path_of(artifact.digest)
    kept = path.rename(path.with_suffix(".away"))
    release = careful.release("1.1.0")
    with pytest.raises(Refused, match="way back"):
        careful.ask(release, "dev", accept_one_way=True, comment="Whatever")
    dialog = promote_dialog(careful.actor("developer"), release, careful.environments["dev"]).offer
    assert dialog.refused and not dialog.one_way and not dialog.back.ready
    kept.rename(path)
    assert careful.ask(release, "dev").status == "queued"


def test_a_migration_that_cannot_be_undone_is_accepted_by_who_may_roll_back_and_says_why(careful):
    release = careful.release("1.1.0", manifest=FIXED)
    (verdict,) = said(careful, release)
    assert verdict.state == "failed" and "Shop Developer" in verdict.who
    assert "migration of 1.1.0 is not marked reversible" in verdict.reason
    with pytest.raises(Refused, match="way back"):
        careful.ask(release, "dev")
    assert promote_dialog(careful.actor("developer"), release, careful.environments["dev"]).offer.one_way
    with pytest.raises(Invalid, match="comment"):
        careful.ask(release, "dev", accept_one_way=True)
    asked = careful.ask(release, "dev", accept_one_way=True, comment="The old column goes")
    verdicts = {one.gate: one.state for one in queries.verdicts_of(asked)}
    assert verdicts["way back"] == "overridden"
    assert Event.objects.get(verb="promotion.one_way_accepted").detail == "The old column goes"
    assert run(asked).status == "succeeded"


def test_whoever_may_not_roll_back_accepts_nothing(careful):
    places.set_phase(careful.phase("stage"), actor=careful.actor("devops"), needs_way_back=True)
    release = careful.release("1.1.0")
    careful.bring(release, "dev", "qa")
    with pytest.raises(Forbidden):  # a QA engineer promotes to Stage, and does not roll back there
        careful.ask(release, "stage", accept_one_way=True, comment="Please")


def test_it_is_asked_again_at_the_start_and_the_board_says_what_it_said(careful):
    waits = careful.ask(careful.release("1.1.0"), "dev")
    path = storage.path_of(careful.application.releases.get(version="1.0.0").artifacts.get().digest)
    kept = path.rename(path.with_suffix(".away"))
    held = run(waits)
    assert held.status == "waiting" and held.reason.startswith("Way back: Dev asks for a way back to 1.0.0.")
    row = queries.row(careful.actor("developer"), careful.application)
    assert row.next.text.startswith("Way back: Dev asks for")
    kept.rename(path)
    sweep.round_once()
    assert run(held).status == "succeeded"


def test_a_way_back_itself_is_not_asked_for_one(careful):
    careful.bring(careful.release("1.1.0"), "dev")
    path = storage.path_of(careful.application.releases.get(version="1.1.0").artifacts.get().digest)
    path.rename(path.with_suffix(".away"))
    back = actions.roll_back(careful.environments["dev"], actor=careful.actor("developer"), reason="Bad")
    assert (back.status, back.release.version) == ("queued", "1.0.0")


def test_the_dialog_shows_it_where_no_gate_asks(shop):
    shop.bring(shop.release("1.0.0"), "dev")
    offer = promote_dialog(
        shop.actor("developer"), shop.release("1.1.0", manifest=FIXED), shop.environments["dev"]
    ).offer
    assert not offer.refused and not offer.one_way
    assert offer.back.release is not None and "not marked reversible" in offer.back.sentence
