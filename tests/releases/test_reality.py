"""The reality probe: what runs is compared with the record; a difference is drift, adopted or reverted by a person."""

from __future__ import annotations

import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import connection, connections
from django.db.models import F
from django.db.models.functions import Now

from phases import actions as places
from phases.drivers.base import Expected, Observation
from phases.models import Environment, HealthChange
from releases import actions, reality
from releases.engine import drift, health
from releases.models import Promotion
from releases.queries.lookups import live_of
from relman.audit.models import Event
from relman.errors import Conflict, Forbidden, Invalid, Refused
from tests import factories
from tests.waiting import until

WANTED = Expected(7, "1.0.0", "a" * 64, 2, {"run": {}})
FINE = Observation(running=2, healthy=True, version="1.0.0", digest="a" * 64)


@pytest.mark.parametrize(
    "seen,kind",
    [
        (FINE, None),
        (Observation(running=2, healthy=False, version=None, digest=None), None),
        (Observation(running=2, version="1.1.0", digest="a" * 64), "version"),
        (Observation(running=0, version="1.1.0", stranger="Port 1 is held."), "version"),
        (Observation(running=0, stranger="Port 1 is held."), "stranger"),
        (Observation(running=0), "nothing"),
        (Observation(running=2, digest="b" * 64, version="1.0.0"), "files"),
        (Observation(running=1, digest="a" * 64, version="1.0.0"), "instances"),
    ],
)
def test_where_record_and_reality_differ(seen, kind):
    found = reality.compare(WANTED, seen)
    assert (found and found.kind) == kind
    if found:
        assert len(found.short) <= 24
        assert reality.of_json(found.as_json()) is not None


@pytest.mark.parametrize(
    "seen,word",
    [
        (Observation(running=2, version="1.1.0", digest="b" * 64), ""),
        (Observation(running=2, version="1.1.0"), ""),
        (Observation(running=2, version="9.9.9"), "no release of this application"),
        (Observation(running=2, version="1.1.0", digest=""), "no release that was ever published"),
        (Observation(running=2, version="1.0.0", digest="b" * 64), "reports 1.0.0"),
        (Observation(running=1, version="1.1.0", digest="b" * 64), "Only 1 of 2"),
        (Observation(running=0, version="1.1.0", stranger="Port 1 is held."), "did not start"),
        (Observation(running=0), "Nothing runs"),
        (Observation(running=1, version="1.0.0", digest="a" * 64), "too few"),
    ],
)
def test_what_can_be_adopted(seen, word):
    found = reality.compare(WANTED, seen)
    assert found is not None
    known = [reality.Build("1.0.0", "a" * 64), reality.Build("1.1.0", "b" * 64)]
    said = reality.why_not(found, reality.build_of(found, known), 2)
    assert word in said if word else said == ""


def script(shop, phase, **settings):
    """What the target of this environment reports from now on."""
    places.edit_environment(
        shop.environments[phase], actor=shop.actor("devops"), settings={**factories.SCRIPT, "reports": settings}
    )


def look(shop, phase, times=1):
    """So many looks at one environment, a minute after the last one and long after its promotion."""
    for _ in range(times):
        Environment.objects.exclude(pk=shop.environments[phase].pk).update(health_at=Now())
        Environment.objects.filter(pk=shop.environments[phase].pk).update(health_at=None)
        Promotion.objects.filter(status="succeeded").update(finished_at=F("finished_at") - timedelta(minutes=5))
        health.look_around()
    return Environment.objects.get(pk=shop.environments[phase].pk)


def events(verb):
    return Event.objects.filter(verb=verb, outcome="done")


@pytest.fixture
def live(shop):
    """1.0.0 runs in Dev, 1.1.0 is published."""
    first = shop.release("1.0.0")
    shop.bring(first, "dev")
    shop.release("1.1.0")
    return shop


def test_what_runs_as_recorded_is_no_drift(live):
    seen = look(live, "dev", 2)
    assert (seen.health, seen.drift, seen.doubt) == ("healthy", {}, {})
    assert seen.observed["version"] == "1.0.0"
    assert not events("environment.drifted").exists()


def test_drift_begins_with_the_second_look_and_ends_likewise(live):
    script(live, "dev", version="1.1.0", digest=None)
    assert look(live, "dev").drift == {}
    seen = look(live, "dev")
    assert seen.drift["kind"] == "version"
    assert seen.drift_since is not None
    assert "the record says 1.0.0" in events("environment.drifted").get().detail
    assert look(live, "dev", 3).drift_since == seen.drift_since
    assert events("environment.drifted").count() == 1
    script(live, "dev")
    assert look(live, "dev").drift != {}
    assert look(live, "dev").drift == {}
    assert events("environment.drift_ended").count() == 1


def test_files_that_a_look_had_no_time_for_are_no_sign_that_they_are_unchanged(live):
    script(live, "dev", digest="", changed=["app.py"])
    look(live, "dev")
    script(live, "dev", unread=40_000)
    assert look(live, "dev", 2).doubt["key"][0] == "files"  # the doubt stays until all of them were read
    script(live, "dev", digest="", changed=["app.py"])
    assert look(live, "dev").drift["kind"] == "files"
    script(live, "dev", unread=40_000)
    assert look(live, "dev", 3).drift["kind"] == "files"
    script(live, "dev")
    assert look(live, "dev", 2).drift == {}


def test_flapping_is_no_event(live):
    for _ in range(3):
        script(live, "dev", version="1.1.0")
        look(live, "dev")
        script(live, "dev")
        look(live, "dev")
    assert not events("environment.drifted").exists()


def test_another_difference_is_told_anew(live):
    script(live, "dev", version="1.1.0", digest=None)
    since = look(live, "dev", 2).drift_since
    script(live, "dev", running=0, version=None)
    seen = look(live, "dev", 2)
    assert (seen.drift["kind"], seen.drift_since) == ("nothing", since)
    assert events("environment.drifted").count() == 2


def test_no_drift_right_after_a_promotion_nor_while_an_outcome_is_unknown(live):
    script(live, "dev", version="1.1.0")
    for _ in range(3):
        Environment.objects.update(health_at=None)
        health.look_around()
    assert Environment.objects.get(pk=live.environments["dev"].pk).drift == {}
    broken = live.ask(live.release("1.2.0"), "dev")
    Promotion.objects.filter(pk=broken.pk).update(status="errored", finished_at=Now())
    assert look(live, "dev", 2).drift == {}


def test_a_look_that_a_claim_overtook_is_dropped(live, monkeypatch):
    script(live, "dev", version="1.1.0")
    look(live, "dev")
    seen = health.look_at

    def overtaken(one):
        try:
            Environment.objects.filter(pk=one.environment.pk).update(epoch=one.environment.epoch + 1)
        finally:
            connections.close_all()
        return seen(one)

    monkeypatch.setattr(health, "look_at", overtaken)
    assert look(live, "dev").drift == {}


def test_a_promotion_in_hand_is_left_alone(live):
    script(live, "dev", version="1.1.0")
    running = live.ask(live.release("1.2.0"), "dev")
    Promotion.objects.filter(pk=running.pk).update(status="running", started_at=Now())
    assert look(live, "dev", 2).drift == {}


def test_a_promotion_that_succeeds_ends_it(live):
    script(live, "dev", version="1.1.0")
    look(live, "dev", 2)
    script(live, "dev")
    live.bring(live.release("1.2.0"), "dev")
    seen = Environment.objects.get(pk=live.environments["dev"].pk)
    assert (seen.drift, seen.drift_since) == ({}, None)
    assert "brought 1.2.0" in events("environment.drift_ended").get().detail


def test_one_process_looks_at_a_time(live):
    free, held = threading.Event(), threading.Event()

    def other():
        try:
            with health._alone() as mine:
                assert mine
                held.set()
                assert free.wait(60)
        finally:
            connections.close_all()

    thread = threading.Thread(target=other)
    thread.start()
    assert held.wait(60)
    try:
        assert look(live, "dev").health_at is None
    finally:
        free.set()
        thread.join(60)
    assert look(live, "dev").health_at is not None


def test_a_target_that_hangs_holds_up_nobody(live, monkeypatch):
    live.bring(Promotion.objects.get().release, "qa")
    end, seen, begun = threading.Event(), health.look_at, set()

    def hangs(one):
        begun.add(one.environment.phase.slug)
        if one.environment.phase.slug == "dev":
            assert end.wait(60)
        return seen(one)

    def clock():
        """Patience ends when the other target has answered, however long a busy machine needs for that."""
        answered = begun == {"dev", "qa"} and live.environments["qa"].pk not in health._hanging
        return health.PATIENCE + 1 if answered else 0.0

    monkeypatch.setattr(health, "look_at", hangs)
    monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=clock))
    monkeypatch.setattr(health, "PATIENCE", 60.0)
    Environment.objects.update(health_at=None)
    try:
        health.look_around()
        dev, qa = (Environment.objects.get(pk=live.environments[slug].pk) for slug in ("dev", "qa"))
        assert (dev.health, "did not answer" in dev.health_detail) == ("unknown", True)
        assert (qa.health, qa.drift) == ("healthy", {})
        assert not [one for one in health._due() if one.pk == dev.pk]
    finally:
        end.set()
    assert until(lambda: not health._hanging)


def test_what_cannot_be_asked_is_unknown_and_changes_no_drift(live, monkeypatch):
    script(live, "dev", version="1.1.0")
    look(live, "dev", 2)
    script(live, "dev", nonsense=1)
    seen = look(live, "dev", 2)
    assert seen.health == "unknown"
    assert seen.drift["version"] == "1.1.0"


# --- history of health


def test_changes_of_health_are_kept_and_restarts_too(live):
    look(live, "dev")
    script(live, "dev", healthy=False, sentence="It answered 500.")
    look(live, "dev", 2)
    script(live, "dev", restarts=1)
    look(live, "dev", 2)
    script(live, "dev", restarts=3)
    look(live, "dev")
    rows = list(HealthChange.objects.filter(environment=live.environments["dev"]).order_by("id")[1:])
    assert [(row.before, row.health) for row in rows] == [
        ("healthy", "unhealthy"), ("unhealthy", "healthy"), ("healthy", "healthy"),
    ]  # fmt: skip
    assert rows[0].detail == "It answered 500."
    assert "started again 2 times" in rows[2].detail


def test_the_history_is_bounded(live, monkeypatch):
    monkeypatch.setattr(drift, "CHANGES", 3)
    dev = live.environments["dev"]
    HealthChange.objects.create(
        environment=dev, at=Now() - timedelta(days=91), before="unknown", health="healthy", detail="old"
    )
    for number in range(6):
        drift.remember(dev, "unhealthy", f"{number}")
    kept = HealthChange.objects.filter(environment=dev).order_by("id")
    assert [row.detail for row in kept] == ["3", "4", "5"]


# --- revert


def test_revert_brings_what_the_record_says(live):
    script(live, "dev", version="1.1.0")
    look(live, "dev", 2)
    asked = actions.revert(live.environments["dev"], actor=live.actor("devops"), reason="Swapped by hand")
    assert (asked.kind, asked.release.version, asked.snapshot_of) == ("redeploy", "1.0.0", "then")
    assert events("environment.reverted").get().detail == "Swapped by hand"
    script(live, "dev")
    assert factories.run(asked).status == "succeeded"
    assert Environment.objects.get(pk=live.environments["dev"].pk).drift == {}


def test_revert_in_live_asks_no_approval(shop):
    shop.bring(shop.release("1.0.0"), "dev", "qa", "stage", "live")
    script(shop, "live", running=0, version=None)
    look(shop, "live", 2)
    asked = actions.revert(shop.environments["live"], actor=shop.actor("devops"), reason="It was stopped")
    assert (asked.status, asked.rules) == ("queued", [])


@pytest.mark.parametrize("verb", [actions.revert, actions.adopt])
def test_there_must_be_drift_a_reason_and_the_right(live, verb):
    dev = live.environments["dev"]
    with pytest.raises(Conflict, match="what the record says"):
        verb(dev, actor=live.actor("devops"), reason="x")
    script(live, "dev", version="1.1.0")
    look(live, "dev", 2)
    with pytest.raises(Invalid):
        verb(dev, actor=live.actor("devops"), reason=" ")
    with pytest.raises(Forbidden):
        verb(dev, actor=live.actor("qa-engineer"), reason="x")
    assert Event.objects.filter(verb__startswith="environment.", outcome="refused").count() == 2


# --- adopt


def now_live(shop, phase):
    found = live_of(shop.environments[phase])
    assert found is not None
    return found


def swap(shop, phase, version="1.1.0"):
    """Another release runs there, by digest."""
    release = shop.application.releases.get(version=version)
    digest = release.artifacts.get().digest
    script(shop, phase, version=version, digest=digest)
    look(shop, phase, 2)
    return release


def test_adopt_makes_what_runs_the_record_and_starts_nothing(live):
    swap(live, "dev")
    asked = actions.adopt(live.environments["dev"], actor=live.actor("devops"), reason="The fix stays")
    assert (asked.kind, asked.release.version) == ("adopt", "1.1.0")
    done = factories.run(asked)
    assert done.status == "succeeded", done.reason
    assert [step.kind for step in done.steps.filter(status="succeeded")] == ["observe", "adopt", "observe"]
    assert now_live(live, "dev") == done
    seen = look(live, "dev", 2)
    assert (seen.drift, seen.health) == ({}, "healthy")
    assert events("environment.adopted").get().detail == "The fix stays"
    assert "accepted 1.1.0" in events("environment.drift_ended").get().detail
    assert events("promotion.succeeded").filter(promotion_id=done.pk).exists()


def test_adopt_refuses_what_is_unknown(live):
    script(live, "dev", version="6.6.6", digest=None)
    look(live, "dev", 2)
    with pytest.raises(Conflict, match=r"6\.6\.6 is no release of this application"):
        actions.adopt(live.environments["dev"], actor=live.actor("devops"), reason="x")


def test_adopt_meets_the_gates_of_any_other(shop):
    shop.bring(shop.release("1.0.0"), "dev", "qa", "stage", "live")
    shop.release("1.1.0")
    swap(shop, "live")
    with pytest.raises(Refused, match="has not succeeded in Dev"):
        actions.adopt(shop.environments["live"], actor=shop.actor("devops"), reason="x")


def test_adopt_of_what_never_ran_there_waits_for_the_phases_approvals(shop):
    shop.bring(shop.release("1.0.0"), "dev", "qa", "stage", "live")
    shop.bring(shop.release("1.1.0"), "dev", "qa", "stage")
    swap(shop, "live")
    asked = actions.adopt(shop.environments["live"], actor=shop.actor("devops"), reason="x")
    assert asked.status == "waiting"
    assert factories.run(shop.approve(asked)).status == "succeeded"


def test_adopt_fails_when_reality_moved_on(live):
    swap(live, "dev")
    asked = actions.adopt(live.environments["dev"], actor=live.actor("devops"), reason="x")
    script(live, "dev", version="1.0.0")
    ended = factories.run(asked)
    assert ended.status == "failed"
    assert "reports 1.0.0" in ended.reason
    assert now_live(live, "dev").release.version == "1.0.0"


def test_adopt_leaves_what_waits_alone(live):
    swap(live, "dev")
    waiting = live.ask(live.release("1.2.0"), "dev", not_before=Promotion.objects.get().requested_at + timedelta(1))
    actions.adopt(live.environments["dev"], actor=live.actor("devops"), reason="x")
    waiting.refresh_from_db()
    assert waiting.status == "waiting"


def test_the_probe_needs_no_transaction(live, monkeypatch):
    seen = []
    look_at = health.look_at

    def noted(one):
        seen.append(connection.in_atomic_block)
        return look_at(one)

    monkeypatch.setattr(health, "look_at", noted)
    look(live, "dev")
    assert seen == [False]
