"""Publishing: an artifact becomes a release, frozen from then on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from phases import permissions
from phases.drivers.archive import ArchiveRefused, inspect_archive
from phases.models import Application, User
from releases import guards, storage, versions
from releases.models import Artifact, Change, Release
from releases.storage import Staged
from relman.actors import Actor
from relman.audit import record
from relman.audit.recording import recorded
from relman.errors import Conflict, Invalid, Unprocessable
from relman.live import publish_on_commit

MOST_CHANGES = 1000
LONGEST_NOTES = 100_000
LONGEST_READING = 60.0
"""Seconds of processor time that reading one archive may take: two gigabytes need about fifteen."""


def publish_release(
    application: Application,
    *,
    actor: Actor,
    version: str,
    staged: Staged,
    notes: str = "",
    commit: str = "",
    author: str = "",
    changes: Sequence[Mapping[str, Any]] = (),
) -> tuple[Release, bool]:
    """Publish a staged archive as a release. True: it is new; False: the same version and digest was there.

    Conflict: the version is taken by another digest. Unprocessable: the archive is refused
    (`errors` lists all). The staged file is consumed, whatever the answer.
    """
    try:
        _may_publish(application, actor=actor)
        parsed = _valid(application, version, notes, changes)
        if found := _same(application, version, parsed, staged):
            _bring_back(found, staged, actor)
            return found, False
        manifest = _read(staged)
        return _publish(
            application,
            actor=actor,
            version=version,
            parsed=parsed,
            staged=staged,
            manifest=manifest,
            words={"notes": notes, "commit": commit[:64], "author": author[:150]},
            changes=changes,
        )
    finally:
        staged.path.unlink(missing_ok=True)


@recorded("release.published")
def _may_publish(application: Application, *, actor: Actor) -> None:
    permissions.require_as_member(actor, "publish", permissions.first_phase(application.pipeline), application)


def _valid(application: Application, version: str, notes: str, changes: Sequence[Mapping[str, Any]]) -> versions.Parsed:
    try:
        parsed = versions.parse(version, application.version_scheme)
    except ValueError as error:
        raise Invalid(str(error), fields={"version": [str(error)]}) from None
    if len(notes) > LONGEST_NOTES:
        raise Invalid("The notes are too long.", fields={"notes": [f"At most {LONGEST_NOTES} characters."]})
    if len(changes) > MOST_CHANGES:
        raise Invalid("There are too many changes.", fields={"changes": [f"At most {MOST_CHANGES} items."]})
    return parsed


def _same(application: Application, version: str, parsed: versions.Parsed, staged: Staged) -> Release | None:
    """The release that has this version already: the same bytes are the same answer, others a conflict."""
    there = Release.objects.filter(application=application, precedence=parsed.precedence).first()
    if there is None:
        return None
    digest = there.artifacts.values_list("digest", flat=True).first()
    if there.version == version and digest == staged.digest:
        return there
    if there.version != version:
        sentence = f"{there.version} is published already, and {version} counts as the same version."
    else:
        sentence = f"{application} {version} is published already, with another artifact (sha256:{digest})."
    raise Conflict(f"{sentence} Choose another version.", code="version_taken", digest=f"sha256:{digest}")


def _read(staged: Staged) -> dict[str, Any]:
    """Check the whole archive and read its manifest, before anything is kept."""
    try:
        manifest = inspect_archive(
            staged.path,
            max_bytes=settings.UNPACKED_MAX_BYTES,
            max_entries=settings.UNPACKED_MAX_ENTRIES,
            tick=_patience(),
        )
    except ArchiveRefused as error:
        errors = [{"place": one.place, "sentence": one.sentence, "cure": one.cure} for one in error.errors]
        first = f"{errors[0]['place']}: {errors[0]['sentence']}" if errors else str(error)
        more = f" And {len(errors) - 1} more." if len(errors) > 1 else ""
        raise Unprocessable(f"The archive is refused: {first}{more}", code="archive_refused", errors=errors) from None
    return dict(manifest)


def _patience() -> Callable[[], None]:
    """To be called while an archive is read. Unprocessable: it has cost this thread LONGEST_READING."""
    end = time.thread_time() + LONGEST_READING

    def tick() -> None:
        if time.thread_time() > end:
            sentence = f"The archive is refused: reading it took more than {LONGEST_READING:.0f} s of processor time."
            raise Unprocessable(f"{sentence} Make it smaller, or pack it less tightly.", code="archive_refused")

    return tick


@recorded("release.published")
def _publish(
    application: Application,
    *,
    actor: Actor,
    version: str,
    parsed: versions.Parsed,
    staged: Staged,
    manifest: dict[str, Any],
    words: dict[str, str],
    changes: Sequence[Mapping[str, Any]],
) -> tuple[Release, bool]:
    """Keep the artifact and write the rows. Raced by the same version: one row, the other gets its answer."""
    with transaction.atomic():
        Application.objects.select_for_update().get(pk=application.pk)
        if found := _same(application, version, parsed, staged):
            return found, False
        release = Release.objects.create(
            application=application,
            version=version,
            precedence=parsed.precedence,
            channel=parsed.channel,
            commit=words["commit"],
            notes=words["notes"],
            author=words["author"] or actor.name,
            author_user=_author(words["author"], actor),
            published_by=actor.user,
            published_at=Now(),
            manifest=manifest,
        )
        _keep(release, staged, changes)
        release.refresh_from_db()
        _tell(release, staged, actor)
    return release, True


def _bring_back(release: Release, staged: Staged, actor: Actor) -> None:
    """The same file again mends a release whose bytes were removed or lost."""
    artifact = release.artifacts.filter(digest=staged.digest).first()
    if artifact is None or not storage.problem(artifact.digest, artifact.size):
        return
    with transaction.atomic():
        guards.write(staged.digest)
        storage.keep(staged)
        Artifact.objects.filter(digest=staged.digest).update(removed_at=None)
        detail = f"The artifact of {release} is stored again."
        record("release.artifact_restored", actor=actor, subject=release, release=release, detail=detail)
        publish_on_commit(f"application:{release.application.slug}")


def _keep(release: Release, staged: Staged, changes: Sequence[Mapping[str, Any]]) -> None:
    """The artifact in its place, and what belongs to the release."""
    guards.write(staged.digest)
    path = storage.keep(staged)
    Artifact.objects.filter(digest=staged.digest).exclude(removed_at=None).update(removed_at=None)
    Artifact.objects.create(release=release, name=staged.name[:255], digest=staged.digest, size=staged.size, path=path)
    Change.objects.bulk_create(_change(release, number, item) for number, item in enumerate(changes, 1))


def _tell(release: Release, staged: Staged, actor: Actor) -> None:
    record(
        "release.published",
        actor=actor,
        subject=release,
        release=release,
        detail=f"Published {release}.",
        after={"version": release.version, "digest": f"sha256:{staged.digest}", "size": staged.size},
    )
    publish_on_commit(f"application:{release.application.slug}")


def _author(name: str, actor: Actor) -> User | None:
    """The account of the author the request names; without one, whoever publishes: a made-up name frees nobody."""
    if not name:
        return actor.user
    return (
        User.objects.filter(username=name).first()
        or User.objects.filter(email__iexact=name).exclude(email="").first()
        or actor.user
    )


def _change(release: Release, number: int, item: Mapping[str, Any]) -> Change:
    return Change(
        release=release,
        position=number,
        title=str(item.get("title", ""))[:300],
        kind=str(item.get("kind", ""))[:32],
        ticket=str(item.get("ticket", ""))[:64],
        author=str(item.get("author", ""))[:150],
    )
