"""Decisions of people."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from phases import actions as places
from phases.models import Role
from releases import actions
from releases.actions.approve import renew
from releases.actions.publish import _author
from releases.models import Approval
from relman.audit.models import Event
from relman.errors import Conflict, Forbidden, Invalid, NotFound, RelManError
from tests import factories


@pytest.fixture
def promotion(shop):
    """One that waits for approvals into Live."""
    release = shop.release()
    shop.bring(release, "dev", "qa", "stage")
    return shop.ask(release, "live")


def test_both_rules_open_the_gate(shop, promotion):
    first = actions.approve(promotion, actor=shop.actor("business-owner"), comment="Fine")
    assert first.status == "waiting"
    assert actions.approve(promotion, actor=shop.actor("qa-engineer")).status == "queued"
    assert Event.objects.filter(verb="promotion.approved", outcome="done").count() == 2


@pytest.mark.parametrize("role", ["developer", "stakeholder", "devops", "release-manager", "admin"])
def test_other_roles_may_not(shop, promotion, role):
    with pytest.raises(Forbidden):
        actions.approve(promotion, actor=shop.actor(role))
    assert Event.objects.filter(verb="promotion.approved", outcome="refused").exists()


def test_an_outsider_sees_nothing(promotion):
    with pytest.raises(NotFound):
        actions.approve(promotion, actor=factories.person())


def test_the_requester_does_not_count_even_with_the_role(shop, promotion):
    role = Role.objects.get(slug="business-owner")
    places.grant(role, shop.phase("live"), actor=shop.actor("admin"), user=shop.people["release-manager"])
    with pytest.raises(Forbidden, match="asked for this promotion"):
        actions.approve(promotion, actor=shop.actor("release-manager"))


def test_the_author_does_not_count(shop):
    release = shop.release(author="shop-business-owner")
    shop.bring(release, "dev", "qa", "stage")
    with pytest.raises(Forbidden, match="wrote or published this release"):
        actions.approve(shop.ask(release, "live"), actor=shop.actor("business-owner"))


def test_a_made_up_author_frees_nobody(shop):
    named, unnamed = (_author(name, shop.actor("business-owner")) for name in ("Nobody at all", ""))
    assert named == unnamed == shop.people["business-owner"]
    assert _author("shop-developer", shop.actor("business-owner")) == shop.people["developer"]


def test_a_role_one_gave_oneself_never_counts(shop, promotion):
    boss = shop.actor("admin")
    places.grant(Role.objects.get(slug="business-owner"), shop.phase("live"), actor=boss, user=boss.user)
    with pytest.raises(Forbidden):
        actions.approve(promotion, actor=shop.actor("admin"))


def test_one_person_decides_once(shop, promotion):
    actions.approve(promotion, actor=shop.actor("business-owner"))
    with pytest.raises(Conflict):
        actions.approve(promotion, actor=shop.actor("business-owner"))


def test_a_no_needs_a_comment_and_ends_it(shop, promotion):
    with pytest.raises(Invalid):
        actions.reject(promotion, actor=shop.actor("business-owner"), comment=" ")
    rejected = actions.reject(promotion, actor=shop.actor("business-owner"), comment="Prices are wrong")
    assert rejected.status == "rejected"
    assert "Prices are wrong" in rejected.reason
    with pytest.raises(Conflict) as caught:
        actions.approve(promotion, actor=shop.actor("qa-engineer"))
    assert caught.value.extra["state"] == "rejected"


def test_a_stale_seal_decides_nothing(shop, promotion):
    places.set_configuration(shop.environments["live"], {"COLOUR": "red"}, actor=shop.actor("devops"))
    with pytest.raises(Conflict) as caught:
        actions.approve(promotion, actor=shop.actor("business-owner"), seal=promotion.seal)
    assert caught.value.code == "stale_seal"
    assert Approval.objects.count() == 0


def test_a_change_voids_what_was_signed(shop, promotion):
    from releases.engine import sweep

    actions.approve(promotion, actor=shop.actor("business-owner"))
    places.set_configuration(shop.environments["live"], {"COLOUR": "red"}, actor=shop.actor("devops"))
    sweep.round_once()
    approval = Approval.objects.get()
    assert approval.voided_at is not None
    assert "configuration" in approval.void_reason


def test_what_was_voided_names_the_keys_and_never_a_value(shop, promotion):
    place, devops = shop.environments["live"], shop.actor("devops")
    places.set_configuration(place, {"OLD": "1", "TOKEN": {"value": "hush-1", "secret": True}}, actor=devops)
    renew(promotion, shop.actor("business-owner"))
    promotion.refresh_from_db()
    actions.approve(promotion, actor=shop.actor("business-owner"))
    now = {"OLD": None, "TOKEN": {"value": "hush-2", "secret": True}, "COLOUR": "blue"}
    places.set_configuration(place, now, actor=devops)
    with pytest.raises(
        Conflict, match=r"the configuration \(COLOUR added, OLD removed and TOKEN changed\)\."
    ) as caught:
        actions.approve(promotion, actor=shop.actor("qa-engineer"))
    said = Approval.objects.get().void_reason
    assert said in str(caught.value)
    assert not any(value in said for value in ("hush", "blue"))


def test_what_was_voided_names_the_size_and_the_rule_and_stays_short(shop, promotion):
    place, devops = shop.environments["live"], shop.actor("devops")
    places.edit_environment(place, instances=2, actor=devops)
    places.set_configuration(place, {f"{'K' * 120}{n:03}": "x" for n in range(60)}, actor=devops)
    places.remove_rule(shop.phase("live").rules.get(name="quality"), actor=shop.actor("admin"))
    said = renew(promotion, shop.actor("business-owner"))
    assert "005" not in said and "and 55 more)" in said
    assert "the target (instances)" in said and "the approval rules (quality)" in said
    assert len(said) <= 1000


def test_a_weakened_rule_does_not_help_what_is_on_its_way(shop, promotion):
    rule = shop.phase("live").rules.get(name="quality")
    places.remove_rule(rule, actor=shop.actor("admin"))
    with pytest.raises(Conflict, match="approval rules"):
        actions.approve(promotion, actor=shop.actor("business-owner"))
    after = actions.approve(promotion, actor=shop.actor("business-owner"))
    assert after.status == "waiting"
    assert actions.approve(promotion, actor=shop.actor("qa-engineer")).status == "queued"


def test_a_yes_can_be_taken_back_until_it_starts(shop, promotion):
    shop.approve(promotion)
    back = actions.withdraw_approval(promotion, actor=shop.actor("business-owner"))
    assert back.status == "waiting"
    assert actions.approve(promotion, actor=shop.actor("business-owner")).status == "queued"


def test_nobody_deciding_is_not_a_yes(shop, promotion):
    from datetime import timedelta

    from django.db.models.functions import Now

    from releases.engine import sweep
    from releases.models import Promotion

    Promotion.objects.filter(pk=promotion.pk).update(approve_before=Now() - timedelta(seconds=1))
    sweep.round_once()
    promotion.refresh_from_db()
    assert promotion.status == "expired"


def test_twenty_at_once_and_a_no_have_one_outcome(shop, promotion):
    role = Role.objects.get(slug="business-owner")
    people = [factories.person() for _ in range(19)]
    for one in people:
        places.grant(role, shop.phase("live"), actor=shop.actor("admin"), user=one.user)
    answers: list[str] = []

    def decide(actor, no):
        try:
            verb = actions.reject if no else actions.approve
            answers.append(verb(promotion, actor=actor, comment="Decided").status)
        except RelManError as error:
            answers.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=(actor, n == 7)) for n, actor in enumerate(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    promotion.refresh_from_db()
    assert len(answers) == 19
    assert promotion.status == "rejected"
    assert answers.count("rejected") == 1
    signed = Approval.objects.filter(promotion=promotion, decision="approved").count()
    assert answers.count("waiting") == signed


def test_naming_somebody_else_as_author_frees_no_publisher(shop):
    boss = shop.actor("admin")
    release_manager = shop.people["release-manager"]
    places.grant(Role.objects.get(slug="business-owner"), shop.phase("live"), actor=boss, user=release_manager)
    release, _ = actions.publish_release(
        shop.application,
        actor=shop.actor("release-manager"),
        version="1.0.0",
        staged=factories.archive("1.0.0"),
        author="shop-developer",
    )
    shop.bring(release, "dev", "qa", "stage")
    role = Role.objects.get(slug="release-manager")
    places.grant(role, shop.phase("live"), actor=boss, user=shop.people["developer"])
    promotion = actions.request_promotion(release, shop.environments["live"], actor=shop.actor("developer"))
    with pytest.raises(Forbidden, match="published"):
        actions.approve(promotion, actor=shop.actor("release-manager"))
