"""Asking for a promotion."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from phases import actions as places
from phases.models import Lock
from releases import actions, queries
from releases.engine import sweep
from releases.models import Promotion
from releases.queries.offers import preview
from releases.queries.promotion_offers import offers_of
from relman.audit.models import Event
from relman.clock import now
from relman.errors import Forbidden, Invalid, NotFound, Refused
from tests import factories
from tests.factories import run


def refused(shop, release, phase, **wish):
    with pytest.raises(Refused) as caught:
        shop.ask(release, phase, **wish)
    return {verdict.gate: verdict for verdict in caught.value.extra["verdicts"] if verdict.state == "failed"}


def test_works_and_is_recorded(shop):
    promotion = shop.ask(shop.release(), "dev", comment="First try")
    assert promotion.status == "queued"
    event = Event.objects.get(verb="promotion.requested")
    assert (event.actor_id, event.promotion_id) == (shop.people["developer"].pk, promotion.pk)
    assert event.detail == "First try"


@pytest.mark.parametrize("name", ["not_before", "not_after"])
@pytest.mark.parametrize("when", ["9999-12-31T23:00:00-05:00", "0001-01-01T01:00:00+05:00"])
def test_a_time_that_not_every_page_could_show_is_refused_and_nothing_is_kept(shop, name, when):
    """In Greenwich the one lies in the year 10000, the other in the year before 1: such a row cannot be read again."""
    with pytest.raises(Invalid, match="year from 1970 to 9990") as caught:
        shop.ask(shop.release(), "dev", **{name: datetime.fromisoformat(when)})
    assert list(caught.value.extra["fields"]) == [name]
    assert not Promotion.objects.exists()


def test_a_day_that_is_over_starts_nothing_at_once(shop):
    release = shop.release()
    with pytest.raises(Invalid, match="That day is over"):
        shop.ask(release, "dev", not_before=now() - timedelta(days=2))
    assert shop.ask(release, "dev", not_before=now() - timedelta(hours=2)).status == "queued"


def test_nothing_is_asked_for_by_publishing(shop):
    shop.release()
    assert Promotion.objects.count() == 0


def test_without_the_right_it_names_the_roles_that_have_it(shop):
    with pytest.raises(Forbidden) as caught:
        actions.request_promotion(shop.release(), shop.environments["live"], actor=shop.actor("developer"))
    assert caught.value.extra["roles"] == ["Release manager"]
    assert Event.objects.filter(verb="promotion.requested", outcome="refused").count() == 1


def test_an_outsider_sees_nothing(shop):
    with pytest.raises(NotFound):
        actions.request_promotion(shop.release(), shop.environments["dev"], actor=factories.person())


def test_an_administrator_promotes_only_by_a_grant(shop):
    with pytest.raises(Forbidden):
        actions.request_promotion(shop.release(), shop.environments["dev"], actor=shop.actor("admin"))


def test_a_phase_cannot_be_skipped(shop):
    failed = refused(shop, shop.release(), "live")
    assert set(failed) == {"order"}
    assert "Dev, QA and Stage" in failed["order"].reason


def test_an_optional_phase_may_be_skipped(shop):
    places.set_phase(shop.phase("qa"), actor=shop.actor("admin"), optional=True)
    release = shop.release()
    shop.bring(release, "dev")
    shop.environments["stage"].refresh_from_db()
    assert shop.ask(release, "stage").status == "queued"


def test_going_down_is_refused_unless_it_is_meant(shop):
    old, new = shop.release("1.0.0"), shop.release("1.1.0")
    shop.bring(new, "dev")
    assert "newer than 1.0.0" in refused(shop, old, "dev")["version"].reason
    with pytest.raises(Invalid):
        actions.request_promotion(old, shop.environments["dev"], actor=shop.actor("developer"), allow_lower=True)
    down = actions.request_promotion(
        old, shop.environments["dev"], actor=shop.actor("developer"), allow_lower=True, comment="Hotfix line"
    )
    assert down.status == "queued"


def test_the_same_release_again_is_a_redeploy(shop):
    release = shop.release()
    shop.bring(release, "dev")
    assert shop.ask(release, "dev").kind == "redeploy"


def test_pre_releases_stop_where_the_pipeline_says(shop):
    shop.pipeline.prerelease_until = shop.phase("dev")
    shop.pipeline.save()
    release = shop.release("1.0.0-rc.1")
    shop.bring(release, "dev")
    assert "stop at Dev" in refused(shop, release, "qa")["version"].reason


def test_a_missing_key_is_named(shop):
    release = shop.release(manifest={"configuration": {"required": ["GREETING"]}})
    failed = refused(shop, release, "dev")
    assert "GREETING" in failed["configuration"].reason
    assert failed["configuration"].link == "/apps/shop/dev/configuration/"
    assert failed["configuration"].who
    places.set_configuration(shop.environments["dev"], {"GREETING": "hello"}, actor=shop.actor("devops"))
    assert shop.ask(release, "dev").status == "queued"


def test_an_artifact_that_is_gone_is_noticed(shop):
    from releases import storage

    release = shop.release()
    storage.path_of(release.artifacts.get().digest).unlink()
    assert "missing" in refused(shop, release, "dev")["artifact"].reason


def test_a_withdrawn_release_goes_nowhere(shop):
    release = shop.release()
    actions.yank(release, actor=shop.actor("release-manager"), reason="Wrong tax")
    assert "Wrong tax" in refused(shop, release, "dev")["release"].reason


def test_quarantine_ends_what_waits(shop):
    release = shop.release()
    promotion = shop.ask(release, "dev")
    actions.quarantine(release, actor=shop.actor("release-manager"), reason="Leaks")
    promotion.refresh_from_db()
    assert promotion.status == "cancelled"
    assert "Leaks" in promotion.reason


def test_a_lock_holds_and_says_who(shop):
    lock = places.lock(shop.environments["dev"], actor=shop.actor("devops"), reason="Moving house")
    promotion = shop.ask(shop.release(), "dev")
    assert promotion.status == "waiting"
    from releases.engine import sweep

    places.unlock(lock, actor=shop.actor("devops"))
    sweep.round_once()
    promotion.refresh_from_db()
    assert promotion.status == "queued"


def test_what_a_lock_with_an_end_holds_goes_on_by_itself(shop):
    until = now() + timedelta(hours=1)
    dev = shop.environments["dev"]
    lock = places.lock(dev, actor=shop.actor("devops"), reason="Moving house", until=until)
    promotion = shop.ask(shop.release(), "dev")
    verdict = next(one for one in queries.verdicts_of(promotion) if one.gate == "lock")
    assert (verdict.state, verdict.earliest, promotion.wake_at) == ("waiting", until, until)
    whole = places.lock(shop.phase("dev"), actor=shop.actor("devops"), reason="Stocktaking")
    verdict = next(one for one in queries.verdicts_of(promotion) if one.gate == "lock")
    assert verdict.earliest is None  # nobody knows when the other ends
    places.unlock(whole, actor=shop.actor("devops"))
    Lock.objects.filter(pk=lock.pk).update(until=Now() - timedelta(seconds=1))
    sweep.round_once()
    promotion.refresh_from_db()
    assert promotion.status == "queued"


def test_a_locked_phase_holds_every_application_and_is_named(shop):
    lock = places.lock(shop.phase("dev"), actor=shop.actor("devops"), reason="Moving house")
    promotion = shop.ask(shop.release(), "dev")
    verdict = next(one for one in queries.verdicts_of(promotion) if one.gate == "lock")
    assert (promotion.status, verdict.state) == ("waiting", "waiting")
    assert verdict.reason == "Shop Devops locked all of Dev: Moving house"
    assert verdict.link == "/pipelines/shop/dev/" and "Shop Devops" in verdict.who
    from releases.engine import sweep

    places.unlock(lock, actor=shop.actor("devops"))
    sweep.round_once()
    promotion.refresh_from_db()
    assert promotion.status == "queued"


def test_an_environment_that_is_not_ready_is_refused(shop):
    places.edit_environment(shop.environments["dev"], actor=shop.actor("devops"), settings={"ready": False})
    places.check_environment(shop.environments["dev"], actor=shop.actor("devops"))
    shop.environments["dev"].refresh_from_db()
    assert "not ready" in refused(shop, shop.release(), "dev")["environment"].reason


def test_settings_that_nobody_judged_hold_what_was_asked_for_and_refuse_what_is(shop):
    dev = shop.environments["dev"]
    kept = type(dev).objects.filter(pk=dev.pk)
    waits = shop.ask(shop.release("1.0.0"), "dev")
    kept.update(settings={"verify": {"within": "long"}})
    dev.refresh_from_db()
    asked = shop.release("1.1.0")
    verdict = refused(shop, asked, "dev")["environment"]
    assert verdict.reason.startswith("“within” of “verify” is a number from 0 to 600")
    assert verdict.who == ["Shop Devops"] and verdict.link == "/apps/shop/dev/"
    offer = preview(asked, dev, actor=shop.actor("developer"))
    assert verdict in offer.verdicts and not offer.allowed
    held = run(waits)
    assert (held.status, held.reason) == ("waiting", f"Environment: {verdict.reason}")
    kept.update(settings=factories.SCRIPT)
    sweep.round_once()
    assert run(held).status == "succeeded"


def test_a_failure_is_shown_where_no_plan_can_be_made_any_more(shop):
    live = shop.environments["live"]
    shop.bring(shop.release("1.0.0"), "dev", "qa", "stage")
    places.edit_environment(live, actor=shop.actor("devops"), settings={"steps": [{"do": "fail"}]})
    live.refresh_from_db()
    failed = run(shop.approve(shop.ask(shop.application.releases.get(), "live")))
    assert failed.status == "failed"
    assert queries.promotion_page(shop.actor("devops"), failed).seal_holds is True
    places.set_configuration(live, {"NEW": "1"}, actor=shop.actor("devops"))
    shown = queries.promotion_page(shop.actor("devops"), failed)
    assert shown.seal_holds is False
    assert shown.seal_differs == "Changed since it was asked for: the configuration (NEW added)."
    type(live).objects.filter(pk=live.pk).update(settings={"steps": "many"})
    failed.environment.refresh_from_db()
    shown = queries.promotion_page(shop.actor("devops"), failed)
    assert (shown.seal_holds, shown.seal_differs) == (False, "")


def test_the_preview_gives_the_same_answer_as_the_verb(shop):
    release = shop.release()
    offer = preview(release, shop.environments["live"], actor=shop.actor("release-manager"))
    assert not offer.allowed
    failed = refused(shop, release, "live")
    assert [verdict for verdict in offer.verdicts if verdict.state == "failed"] == list(failed.values())


def test_a_release_of_another_application_is_not_found(shop):
    other = factories.shop("other")
    with pytest.raises(NotFound):
        actions.request_promotion(other.release(), shop.environments["dev"], actor=shop.actor("developer"))


def test_a_retry_names_what_it_repeats(shop):
    places.edit_environment(shop.environments["dev"], actor=shop.actor("devops"), settings={"steps": [{"do": "fail"}]})
    shop.environments["dev"].refresh_from_db()
    failed = run(shop.ask(shop.release(), "dev"))
    again = actions.retry(failed, actor=shop.actor("developer"))
    assert (again.retry_of_id, again.status) == (failed.pk, "queued")


def test_a_retry_goes_down_only_by_who_may_allow_it(shop):
    older = shop.release("1.0.0")
    shop.bring(older, "dev", "qa")
    shop.bring(shop.release("1.1.0"), "dev", "qa", "stage")
    boss, stage = shop.actor("release-manager"), shop.environments["stage"]
    asked = actions.request_promotion(older, stage, actor=boss, allow_lower=True, comment="Hotfix of the older line")
    ended = actions.cancel(asked, actor=boss)
    with pytest.raises(Forbidden):
        actions.retry(ended, actor=shop.actor("qa-engineer"))
    offers = {one.name: one.possible for one in offers_of(shop.actor("qa-engineer"), ended)}
    assert offers["retry"] is False
    assert actions.retry(ended, actor=shop.actor("release-manager")).allow_lower


def test_two_requests_at_once_leave_one_pending(shop):
    releases = [shop.release(f"1.{n}.0") for n in range(6)]
    shop_actors = [shop.actor("developer") for _ in releases]
    outcomes: list[str] = []

    def ask(release, actor):
        try:
            outcomes.append(actions.request_promotion(release, shop.environments["dev"], actor=actor).status)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=pair) for pair in zip(releases, shop_actors, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert outcomes == ["queued"] * 6
    assert Promotion.objects.filter(status="queued").count() == 1
    assert Promotion.objects.filter(status="superseded").count() == 5
