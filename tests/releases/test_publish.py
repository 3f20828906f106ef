"""Publishing a release."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from releases import actions, storage
from releases.models import Release
from relman.audit.models import Event
from relman.errors import Conflict, Forbidden, Invalid, NotFound, RelManError, Unprocessable
from tests import factories


def publish(shop, version, staged, role="ci-robot", **facts):
    return actions.publish_release(shop.application, actor=shop.actor(role), version=version, staged=staged, **facts)


def test_works_and_is_recorded(shop):
    staged = factories.archive("1.0.0")
    release, created = publish(shop, "1.0.0", staged, notes="First", changes=[{"title": "A basket", "kind": "feature"}])
    assert created
    assert release.channel == "stable"
    assert release.manifest["run"]["health"] == "/healthz"
    assert [change.title for change in release.changes.all()] == ["A basket"]
    assert storage.path_of(staged.digest).stat().st_size == staged.size
    assert not staged.path.exists()
    assert Event.objects.get(verb="release.published").version == "1.0.0"


def test_the_same_again_is_the_same_answer_and_another_digest_a_conflict(shop):
    first, _ = publish(shop, "1.0.0", factories.archive("1.0.0"))
    again, created = publish(shop, "1.0.0", factories.archive("1.0.0"))
    assert again.pk == first.pk
    assert not created
    with pytest.raises(Conflict) as caught:
        publish(shop, "1.0.0", factories.archive("1.0.0", content="other"))
    assert caught.value.code == "version_taken"
    with pytest.raises(Conflict, match="counts as the same version"):
        publish(shop, "1.0.0+build.2", factories.archive("1.0.0", content="third"))


def test_wrong_role_outsider_and_wrong_version(shop):
    with pytest.raises(Forbidden):
        publish(shop, "1.0.0", factories.archive("1.0.0"), role="business-owner")
    with pytest.raises(NotFound):
        actions.publish_release(
            shop.application, actor=factories.person(), version="1.0.0", staged=factories.archive("1.0.0")
        )
    with pytest.raises(Invalid):
        publish(shop, "latest", factories.archive("1.0.0"))
    assert Release.objects.count() == 0
    assert not list(storage.staging().iterdir())


def test_a_refused_archive_keeps_nothing(shop):
    staged = factories.archive("1.0.0", manifest={"run": {"health": "/healthz"}})
    with pytest.raises(Unprocessable) as caught:
        publish(shop, "1.0.0", staged)
    assert caught.value.code == "archive_refused"
    assert caught.value.extra["errors"]
    assert "relman.toml" in caught.value.message, "the sentence names the place"
    assert not storage.path_of(staged.digest).exists()
    assert not staged.path.exists()


def test_reading_an_archive_costs_no_more_than_its_time(shop, monkeypatch):
    monkeypatch.setattr("releases.actions.publish.LONGEST_READING", -1.0)
    with pytest.raises(Unprocessable, match="of processor time"):
        publish(shop, "1.0.0", factories.archive("1.0.0"))
    assert Release.objects.count() == 0


def test_one_version_twenty_times_at_once_is_one_release(shop):
    answers: list[str] = []

    def work(number):
        try:
            _, created = publish(shop, "1.0.0", factories.archive("1.0.0", content=str(number)))
            answers.append("created" if created else "same")
        except RelManError as error:
            answers.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == ["created"] + ["version_taken"] * 19
    assert Release.objects.count() == 1
