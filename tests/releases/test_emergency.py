"""The emergency lane: in front of all that is queued, by right and with a reason; it opens no gate."""

from __future__ import annotations

import pytest

from phases import actions as places
from releases import actions, queries
from releases.engine import doorbell, lease
from releases.models import Promotion
from relman.audit.models import Event
from relman.errors import Conflict, Forbidden, Invalid, NotFound
from tests import factories

WHY = "Carts are empty for everybody."


@pytest.fixture
def crowd(shop):
    """Two promotions of one application are queued in Dev, in order; then one of another."""
    places.set_phase(shop.phase("dev"), actor=shop.actor("admin"), in_order=True)
    first, second = (factories.beside(shop, slug) for slug in ("first", "second"))
    return [first.ask(first.release(f"1.{n}.0"), "dev") for n in (0, 1)] + [second.ask(second.release(), "dev")]


def begun():
    """In the order in which they began."""
    return list(Promotion.objects.exclude(started_at=None).order_by("started_at").values_list("pk", flat=True))


def states(promotions):
    return [Promotion.objects.get(pk=one.pk).status for one in promotions]


def test_it_goes_over_its_environments_queue_and_over_all_applications(shop, crowd, bell):
    moved = actions.expedite(crowd[1], actor=shop.actor("release-manager"), reason=WHY)
    assert (moved.status, moved.emergency_reason, bell[-1]) == ("queued", WHY, moved.pk)
    shown = queries.queue_of(shop.actor("developer"), moved)
    assert shown is not None and (shown.position, shown.length, shown.in_front) == (1, 3, [])
    assert lease.claim(crowd[0].pk) is None, "its environment belongs to the one in the lane"
    doorbell.answer(crowd[2].pk)
    assert begun() == [crowd[1].pk, crowd[2].pk], "and the older one may not overwrite it"


def test_among_several_the_first_that_was_moved_goes_first(shop, crowd):
    manager = shop.actor("release-manager")
    for one in (crowd[2], crowd[1]):
        actions.expedite(one, actor=manager, reason=WHY)
    doorbell.answer(crowd[0].pk)
    assert begun() == [crowd[2].pk, crowd[1].pk]


def test_it_never_goes_over_what_runs(shop, crowd):
    assert lease.claim(crowd[0].pk) is not None
    actions.expedite(crowd[1], actor=shop.actor("release-manager"), reason=WHY)
    assert lease.claim(crowd[1].pk) is None
    assert states(crowd) == ["running", "queued", "queued"]


def test_it_opens_no_gate(shop):
    release = shop.release()
    shop.bring(release, "dev", "qa", "stage")
    asked = shop.ask(release, "live", emergency=True, reason=WHY)
    assert asked.status == "waiting"
    assert asked.emergency_at is not None and asked.emergency_by == shop.people["release-manager"]
    assert shop.approve(asked).status == "queued"
    assert Event.objects.filter(verb="promotion.expedited", promotion_id=asked.pk, detail=WHY).count() == 1


def test_a_rollback_takes_it_for_its_own_reason(shop):
    shop.bring(shop.release("1.0.0"), "dev")
    shop.bring(shop.release("1.1.0"), "dev")
    manager = shop.actor("release-manager")
    back = actions.roll_back(shop.environments["dev"], actor=manager, reason=WHY, emergency=True)
    assert (back.kind, back.emergency_reason) == ("rollback", WHY)
    with pytest.raises(Forbidden):
        actions.roll_back(shop.environments["dev"], actor=shop.actor("developer"), reason=WHY, emergency=True)


def test_only_who_may_break_the_glass(shop, crowd):
    with pytest.raises(Forbidden, match="emergency lane of Dev"):
        actions.expedite(crowd[1], actor=shop.actor("developer"), reason=WHY)
    with pytest.raises(Forbidden):
        actions.request_promotion(
            crowd[0].release, crowd[0].environment, actor=shop.actor("developer"), emergency=True, reason=WHY
        )
    with pytest.raises(NotFound):
        actions.expedite(crowd[1], actor=factories.person(), reason=WHY)
    assert Event.objects.filter(verb="promotion.expedited", outcome="refused").count() == 2
    assert not Promotion.objects.exclude(emergency_at=None).exists()


def test_it_needs_a_reason(shop, crowd):
    for said in ("", "  ", "x" * 1001):
        with pytest.raises(Invalid):
            actions.expedite(crowd[1], actor=shop.actor("release-manager"), reason=said)


def test_twice_or_too_late_is_a_conflict(shop, crowd):
    manager = shop.actor("release-manager")
    actions.expedite(crowd[1], actor=manager, reason=WHY)
    with pytest.raises(Conflict, match="already"):
        actions.expedite(crowd[1], actor=manager, reason=WHY)
    factories.run(crowd[2])
    with pytest.raises(Conflict, match="already done"):
        actions.expedite(crowd[2], actor=manager, reason=WHY)


def test_the_board_says_so(shop, crowd):
    from releases.queries.board import row as row_of

    actions.expedite(crowd[1], actor=shop.actor("release-manager"), reason=WHY)
    row = row_of(shop.actor("stakeholder"), crowd[2].environment.application)
    assert "Emergency" not in str(row)
    assert "Emergency: **1.1.0** starts next" in str(row_of(shop.actor("developer"), crowd[1].release.application))
