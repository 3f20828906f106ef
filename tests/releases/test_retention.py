"""Retention: what nobody needs goes; what is live, was live, is on its way, or is evidence stays."""

from __future__ import annotations

import errno
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now

from releases import actions, guards, retention, storage, uploads
from releases.actions import retention as verb
from releases.models import LogLine, Promotion, Release
from releases.queries.way_back import way_back
from releases.retention import Rule, Stored, Success
from relman.actors import Actor
from relman.audit.models import Event
from relman.errors import Conflict, Forbidden, Refused
from tests import factories
from tests.client import Api, good, refused
from tests.waiting import in_background, waits_for_a_lock

ALL = Rule(days=30, keep=0)


def stored(name, **other):
    return Stored(**{"release": 1, "name": name, "digest": name, "size": 10, "age": 90, "rank": 9, **other})


def names(decision):
    return {one.name for one in decision.going}


def test_the_rule_keeps_what_is_needed_new_or_young():
    rows = [
        stored("old"),
        stored("needed", release=2, needs=("It is live in Shop in Live.",)),
        stored("newest", release=3, rank=2),
        stored("young", release=4, age=3),
    ]
    decision = retention.decide(rows, Rule(days=30, keep=2))
    assert names(decision) == {"old"}
    assert {one.name: reason for one, reason in decision.staying} == {
        "needed": "It is live in Shop in Live.",
        "newest": "It is one of the 2 newest of its application.",
        "young": "It was used 3 days ago, and 30 days are kept.",
    }


def test_shared_bytes_stay_and_are_counted_once():
    rows = [stored("a", digest="x"), stored("b", release=2, digest="x", age=1), stored("c", release=3, digest="y")]
    rows.append(stored("d", release=4, digest="y"))
    decision = retention.decide(rows, ALL)
    assert names(decision) == {"c", "d"}
    assert decision.freed == 10


def test_live_before_and_the_way_back_stay():
    rows = [Success(1, "Shop in Live", number, withdrawn=number == 3) for number in (4, 3, 2, 1)]
    assert {release: " ".join(said) for release, said in retention.served(rows).items()} == {
        4: "It is live in Shop in Live.",
        3: "It was live in Shop in Live before what is now.",
        2: "It is the way back in Shop in Live.",
    }


@pytest.fixture
def history(shop):
    """Four releases through Dev and one that was never brought anywhere; all of it a year old."""
    first = shop.release("1.0.0")
    shop.bring(first, "dev", "qa", "stage")
    for version in ("1.1.0", "1.2.0", "1.3.0"):
        shop.bring(shop.release(version), "dev")
    unused = shop.release("1.0.1")
    year = timedelta(days=365)
    Release.objects.update(published_at=Now() - year)
    Promotion.objects.update(finished_at=Now() - year)
    for step, promotion in enumerate(Promotion.objects.order_by("id")):
        Promotion.objects.filter(pk=promotion.pk).update(finished_at=Now() - year + timedelta(minutes=step))
    return shop, unused


def there(shop):
    rows = Release.objects.filter(application=shop.application).prefetch_related("artifacts")
    return {one.version for one in rows if storage.path_of(one.artifacts.get().digest).exists()}


def test_a_dry_run_says_all_and_deletes_nothing(history):
    shop, _ = history
    said = StringIO()
    call_command("retention", keep=0, days=30, stdout=said)
    assert there(shop) == {"1.0.0", "1.0.1", "1.1.0", "1.2.0", "1.3.0"}
    text = said.getvalue()
    assert "Would remove: Shop 1.1.0" in text
    assert "Stays: Shop 1.3.0. It is live in Shop in Dev." in text
    assert "Stays: Shop 1.2.0. It was live in Shop in Dev before what is now." in text
    assert "repeat with --apply" in text


def test_apply_deletes_bytes_and_logs_and_keeps_rows_and_record(history):
    shop, unused = history
    before = Promotion.objects.count(), Event.objects.count()
    call_command("retention", keep=0, days=30, apply=True, stdout=StringIO())
    assert there(shop) == {"1.0.0", "1.2.0", "1.3.0"}
    assert Release.objects.filter(application=shop.application).count() == 5
    assert Promotion.objects.count() == before[0]
    verbs = list(Event.objects.order_by("id").values_list("verb", flat=True)[before[1] :])
    assert verbs == ["release.artifact_removed", "release.artifact_removed", "retention.applied"]
    old = Promotion.objects.get(release__version="1.1.0")
    assert list(old.lines.values_list("text", flat=True)) == [verb.NOTE]
    assert Promotion.objects.get(release__version="1.3.0").lines.exclude(text=verb.NOTE).exists()
    with pytest.raises(Refused) as error:
        shop.ask(unused, "dev", allow_lower=False)
    said = {one.gate: one.reason for one in error.value.extra["verdicts"]}
    assert said["artifact"].startswith("Artifact removed by retention on ")
    again = verb.apply(ALL, actor=Actor.system())
    assert (again[0].going, again[1].lines) == ((), 0)


def test_where_the_release_before_is_held_the_one_that_the_way_back_leads_to_stays(history):
    shop, _ = history
    dev = shop.environments["dev"]
    factories.run(actions.roll_back(dev, actor=shop.actor("developer"), reason="Wrong totals"))
    verb.apply(ALL, actor=Actor.system())
    assert there(shop) == {"1.0.0", "1.1.0", "1.2.0", "1.3.0"}
    back = way_back(dev)
    assert back.ready and back.release is not None and back.release.version == "1.1.0"


def test_what_waits_runs_or_is_unclear_keeps_its_artifact(history):
    shop, _ = history
    waiting = shop.ask(shop.release("2.0.0"), "dev")
    Release.objects.update(published_at=Now() - timedelta(days=365))
    decision, _ = verb.apply(ALL, actor=Actor.system())
    assert "2.0.0" in there(shop)
    needed = {one.name: reason for one, reason in decision.staying}
    assert needed["Shop 2.0.0"] == f"Promotion {waiting.pk} to Dev needs it (queued)."


def test_publishing_the_same_file_again_brings_it_back(shop):
    staged = factories.archive("1.0.0")
    kept = staged.path.read_bytes()
    release, _ = actions.publish_release(shop.application, actor=shop.actor("ci-robot"), version="1.0.0", staged=staged)
    Release.objects.update(published_at=Now() - timedelta(days=365))
    verb.apply(ALL, actor=Actor.system())
    assert there(shop) == set()
    staged.path.write_bytes(kept)
    _, created = actions.publish_release(shop.application, actor=shop.actor("ci-robot"), version="1.0.0", staged=staged)
    assert (created, there(shop)) == (False, {"1.0.0"})
    assert release.artifacts.get().removed_at is None
    assert shop.ask(release, "dev").status == "queued"


def test_a_promotion_that_is_asked_for_meanwhile_wins(history):
    """The request holds the bytes until it is committed; retention waits, looks again, and leaves them."""
    shop, unused = history
    done: list[object] = []

    with transaction.atomic():
        promotion = _ask(shop, unused)
        thread = in_background(lambda: done.append(verb.apply(ALL, actor=Actor.system())))
        assert waits_for_a_lock(thread)
    thread.join(60)
    assert done
    assert "1.0.1" in there(shop)
    assert Promotion.objects.get(pk=promotion.pk).status == "queued"


def _ask(shop, release):
    return actions.request_promotion(
        release,
        shop.environments["dev"],
        actor=shop.actor("release-manager"),
        allow_lower=True,
        comment="A fix of the older line.",
    )


def test_one_at_a_time_and_only_administrators(shop):
    taken, leave = threading.Event(), threading.Event()

    def hold():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock_shared(%s)", [verb.ROUND])
            taken.set()
            leave.wait(60)
            cursor.execute("SELECT pg_advisory_unlock_shared(%s)", [verb.ROUND])
        connection.close()

    backup = threading.Thread(target=hold)
    backup.start()
    assert taken.wait(60)
    with pytest.raises(Conflict, match="backup"):
        verb.apply(ALL, actor=Actor.system())
    leave.set()
    backup.join()
    with pytest.raises(Forbidden):
        verb.apply(ALL, actor=shop.actor("release-manager"))


def test_guards_are_by_digest(shop):
    release = shop.release()
    with guards.alone("0" * 64):
        assert others_get(lambda: guards.need(release.pk))
        assert others_get(lambda: guards.write("1" * 64))
        assert not others_get(lambda: guards.write("0" * 64))
    with guards.alone(release.artifacts.get().digest):
        assert not others_get(lambda: guards.need(release.pk))
    assert others_get(lambda: guards.need(release.pk))


def others_get(take):
    """Whether another connection gets these bytes without waiting."""

    def attempt():
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '200ms'")
                take()
            return True
        except OperationalError:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(attempt).result(60)


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("where", ["while it arrives", "at its place"])
def test_a_full_disk_refuses_an_upload_in_a_sentence_and_works_again(shop, monkeypatch, where):
    shop.bring(shop.release("1.0.0"), "dev")
    api = Api(shop.actor("ci-robot").user)
    staged = factories.archive("1.1.0")
    data = staged.path.read_bytes()
    staged.path.unlink()
    if where == "while it arrives":
        monkeypatch.setattr(uploads.Writer, "write", full)
    else:
        monkeypatch.setattr(storage, "keep", full)
    before = sorted(storage.staging().glob(f"*{storage.SUFFIX}"))
    said = refused(api.publish("shop", "1.1.0", data), 507, "no_room")
    assert "disk is full" in said["detail"]
    assert "what is live goes on" in said["detail"]
    assert sorted(storage.staging().glob(f"*{storage.SUFFIX}")) == before
    assert not Release.objects.filter(version="1.1.0").exists()
    monkeypatch.undo()
    good(api.publish("shop", "1.1.0", data), 201)
    assert Promotion.objects.get(status="succeeded").release.version == "1.0.0"


def test_old_lines_of_what_has_to_be_looked_into_stay(shop):
    promotion = shop.bring(shop.release(), "dev")
    Promotion.objects.filter(pk=promotion.pk).update(status="errored", finished_at=Now() - timedelta(days=365))
    lines = LogLine.objects.count()
    verb.apply(ALL, actor=Actor.system())
    assert LogLine.objects.count() == lines
