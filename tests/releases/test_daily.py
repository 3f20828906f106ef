"""What RelMan does once a day by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from releases import daily, storage
from releases.actions import retention
from releases.models import Artifact, Release
from relman import checks
from relman.audit.models import Event
from relman.errors import Conflict


@pytest.fixture
def old(shop, settings):
    """An old release that nobody needs, and a young one."""
    settings.KEEP_DAYS, settings.KEEP_RELEASES = 30, 1
    release = shop.release("1.0.0")
    shop.release("1.1.0")
    Release.objects.filter(pk=release.pk).update(published_at=Now() - timedelta(days=90))
    return release.artifacts.get()


def test_the_configured_rule_is_applied_once_a_day(old):
    assert storage.path_of(old.digest).exists()
    assert daily.once()
    assert not storage.path_of(old.digest).exists()
    assert Artifact.objects.filter(removed_at=None).get().release.version == "1.1.0"
    done = Event.objects.get(verb="retention.applied")
    assert (done.via, done.after) == ("system", {**(done.after or {}), "artifacts": 1, "days": 30, "keep": 1})
    assert not daily.once()
    assert Event.objects.filter(verb="retention.applied").count() == 1


def test_it_does_not_work_during_a_backup(old, monkeypatch):
    def busy(*_, **__):
        raise Conflict("A backup is at work.")

    monkeypatch.setattr(retention, "apply", busy)
    assert not daily.once()


@pytest.mark.parametrize("word,begun", [("off", False), ("daily", True)])
def test_it_begins_only_where_it_is_asked_for(settings, monkeypatch, word, begun):
    monkeypatch.setattr(daily, "_thread", None)
    settings.RETENTION = word
    daily.start()
    try:
        assert (daily._thread is not None) == begun
        daily.start()
    finally:
        daily.stop()
    if daily._thread is not None:
        daily._thread.join(60)
        assert not daily._thread.is_alive()


def test_a_word_that_means_nothing_is_a_wrong_setting(settings):
    for word, wrong in (("off", 0), ("daily", 0), ("weekly", 1)):
        settings.RETENTION = word
        assert len(checks.retention()) == wrong
