"""Taking a backup, while RelMan runs: everything is read as of one moment."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from importlib import metadata
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder

from releases import storage
from releases.actions.retention import ROUND
from releases.models import Artifact
from relman import clock
from relman.actors import Actor
from relman.audit import chain, record
from relman.backup import BackupError, files, keys, tools

FORMAT = 1
DUMP = "database.dump"
MANIFEST = "manifest.json"
FORGOTTEN = ("django_session", "releases_heartbeat", "relman_failure")
"""Tables whose rows mean nothing later: who is signed in, which processes live."""


def take(folder: Path, *, keys_file: Path | None = None, say: Callable[[str], None]) -> dict[str, Any]:
    """Write a backup into a new folder; it is there whole or not at all. Returns its manifest."""
    folder = folder.resolve()
    _check_place(folder, keys_file)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True, mode=0o700)
    try:
        with _no_retention():
            while chain.seal(everything=True):
                pass
            manifest = _write(part, say)
        if keys_file is not None:
            keys.save(keys_file)
        part.rename(folder)
        storage.sync(folder.parent)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    about = {"artifacts": len(manifest["artifacts"]), "links": manifest["audit"]["sequence"]}
    record("backup.taken", actor=Actor.system(), after=about, detail="A backup was taken.")
    return manifest


def _check_place(folder: Path, keys_file: Path | None) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BackupError(f"{folder} is not empty: each backup has a folder of its own.")
    if keys_file is not None and folder in keys_file.resolve().parents:
        raise BackupError("The file of keys would lie inside the backup. Keep it elsewhere: it opens every secret.")


@contextmanager
def _no_retention() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s)", [ROUND])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock_shared(%s)", [ROUND])


def _write(part: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Database, artifacts and manifest, all from one snapshot of the database."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("SELECT pg_export_snapshot()")
        snapshot = cursor.fetchone()[0]
        manifest = describe()
        wanted = list(Artifact.objects.order_by("digest").values_list("digest", "size").distinct("digest"))
        left_out = [word for table in FORGOTTEN for word in ("--exclude-table-data", table)]
        tools.run("pg_dump", "-Fc", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", *left_out,
                  "-f", str(part / DUMP))  # fmt: skip
    manifest["artifacts"], manifest["missing"] = _artifacts(part, wanted)
    manifest["database"] = {"sha256": storage.hash_of(part / DUMP), "size": (part / DUMP).stat().st_size}
    for digest in manifest["missing"]:
        say(f"Not in the backup: the artifact sha256:{digest} is not in the storage.")
    storage.sync(part / DUMP)
    files.write(part / MANIFEST, manifest)
    return manifest


def _artifacts(part: Path, wanted: list[tuple[str, int]]) -> tuple[list[dict[str, Any]], list[str]]:
    there, missing = [], []
    for digest, size in wanted:
        if storage.problem(digest, size):
            missing.append(digest)
            continue
        files.bring(storage.path_of(digest), part / "artifacts" / storage.relative(digest), digest)
        there.append({"digest": digest, "size": size})
    return there, missing


def describe() -> dict[str, Any]:
    """What this installation holds now: versions, counts, the chain's head, the marks of its keys."""
    return {
        "format": FORMAT,
        "taken_at": clock.now().astimezone(UTC).isoformat(),
        "relman": metadata.version("relman"),
        "postgresql": tools.server_version(),
        "migrations": sorted(".".join(key) for key in MigrationRecorder(connection).applied_migrations()),
        "counts": counts(),
        "audit": chain.checkpoint(),
        "keys": keys.marks(keys.today()),
    }


def counts() -> dict[str, int]:
    """Rows of every table of ours that a backup carries."""
    ours = [model for label in ("phases", "releases", "audit") for model in apps.get_app_config(label).get_models()]
    tables = {model._meta.db_table: model for model in ours if model._meta.db_table not in FORGOTTEN}
    return {table: model._default_manager.count() for table, model in sorted(tables.items())}
