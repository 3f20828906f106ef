"""Restoring a backup into an empty installation, and marking what must not run twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader

from phases.models import Pipeline, User
from releases import statuses, storage
from releases.engine import ahead
from releases.models import Promotion
from relman.actors import Actor
from relman.audit import chain, record
from relman.audit.models import Event
from relman.backup import BackupError, files, keys, taking, tools

EMPTY = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"


def restore(
    folder: Path, *, keys_file: Path | None = None, lost_keys: bool = False, say: Callable[[str], None]
) -> list[str]:
    """Put a backup into this installation, which must be empty and at rest.

    Returns what a person has to look at, as sentences. BackupError: nothing was restored, or, when the sentence
    says so, what was restored is not whole.
    """
    manifest = _manifest(folder)
    chosen = _keys(manifest, keys_file, lost_keys)
    _check_empty()
    _check_dump(folder, manifest)
    for one in manifest["artifacts"]:
        source = folder / "artifacts" / storage.relative(one["digest"])
        files.bring(source, storage.path_of(one["digest"]), one["digest"])
    say(f"{len(manifest['artifacts'])} artifacts are stored, each with its digest.")
    _database(folder)
    told = keys.adopt(chosen)
    _count(manifest)
    call_command("migrate", interactive=False, verbosity=0)
    _verify(manifest)
    say(f"The database is as of {manifest['taken_at']}; the record's chain is whole.")
    return [*told, *_settle(manifest)]


def _manifest(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = files.read(folder / taking.MANIFEST, "manifest")
    if manifest.get("format") != taking.FORMAT:
        raise BackupError(f"{folder} has the format {manifest.get('format')}, which this RelMan does not read.")
    known = {".".join(key) for key in MigrationLoader(None).disk_migrations}
    newer = sorted(set(manifest["migrations"]) - known)
    if newer:
        raise BackupError(f"The backup is from a newer RelMan ({newer[-1]}): install {manifest['relman']} or later.")
    return manifest


def _keys(manifest: dict[str, Any], keys_file: Path | None, lost: bool) -> dict[str, str]:
    chosen = keys.load(keys_file) if keys_file else keys.today()
    if keys.opens(chosen, manifest["keys"]) or lost:
        return chosen
    what = f"{keys_file} holds other keys" if keys_file else "This installation has other keys"
    raise BackupError(
        f"{what} than the backup's, so its secrets could not be read. Give the file that was written with it: "
        "--keys FILE. If it is lost, --lost-keys restores all but the secrets, which have to be set again."
    )


def _check_empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        if cursor.fetchone()[0]:
            raise BackupError("The database is in use. Stop RelMan's web and worker processes first.")
        tables = connection.introspection.table_names(cursor)
    for model in (User, Pipeline, Event):
        if model._meta.db_table in tables and model._default_manager.exists():
            raise BackupError("This installation is not empty. Restore into a new RELMAN_HOME or a new database.")


def _check_dump(folder: Path, manifest: dict[str, Any]) -> None:
    dump = folder / taking.DUMP
    if not dump.is_file() or storage.hash_of(dump) != manifest["database"]["sha256"]:
        raise BackupError(f"{dump} is missing or damaged. Nothing was restored.")


def _database(folder: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute(EMPTY)
    connection.close()
    name = str(connection.settings_dict["NAME"])
    options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--dbname", name)
    tools.run("pg_restore", *options, str(folder / taking.DUMP))


def _count(manifest: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        for table, count in manifest["counts"].items():
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608 - quoted
            found = cursor.fetchone()[0]
            if found != count:
                raise BackupError(f"{table} has {found} rows, but the backup says {count}. Do not use this restore.")


def _verify(manifest: dict[str, Any]) -> None:
    broken = chain.verify(manifest["audit"])
    if broken:
        raise BackupError(f"The record is broken at link {broken.sequence}: {broken.sentence} Do not use this restore.")


def _settle(manifest: dict[str, Any]) -> list[str]:
    """Nobody holds a lease of another time; where the target is ahead, a person decides; the rest goes on."""
    system = Actor.system()
    with transaction.atomic():
        Promotion.objects.filter(lease_until__isnull=False).update(lease_until=None, lease_owner="", wake_at=None)
        for found in list(ahead.find(restored=True)):
            ahead.hold(found, actor=system)
        detail = f"Restored from the backup of {manifest['taken_at']}."
        record("backup.restored", actor=system, after={"audit": manifest["audit"]}, detail=detail)
    running = Promotion.objects.filter(status__in=statuses.ACTIVE).select_related("release", "environment__phase")
    goes_on = [f"Promotion {one.pk} ({one}) goes on where the backup found it." for one in running]
    return [*(f"{name} waits for a person: its target is ahead of the backup." for name in ahead.names()), *goes_on]
