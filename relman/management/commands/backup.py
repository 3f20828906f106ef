"""`manage.py backup DIR`: everything of this installation, as of one moment, while it runs."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from relman import words
from relman.backup import BackupError, taking


class Command(BaseCommand):
    help = "Writes database and artifacts into a new folder; with --keys, the keys into a file of their own."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, metavar="DIR", help="a new folder")
        parser.add_argument("--keys", type=Path, metavar="FILE", help="also write the keys there (0600)")

    def handle(self, *_: Any, folder: Path, keys: Path | None, **__: Any) -> None:
        try:
            manifest = taking.take(folder, keys_file=keys, say=self.stderr.write)
        except (BackupError, OSError) as error:
            raise CommandError(f"No backup was made: {error}") from error
        size = words.size(manifest["database"]["size"] + sum(one["size"] for one in manifest["artifacts"]))
        releases, links = manifest["counts"]["releases_release"], manifest["audit"]["sequence"]
        self.stdout.write(f"Backup in {folder}: {releases} releases, {links} links of the record, {size}.")
        if keys:
            self.stdout.write(f"The keys are in {keys}. Keep that file elsewhere: it opens every secret of the backup.")
        else:
            self.stdout.write("Without the keys no secret of it can be read: write them once with --keys FILE.")
        if manifest["missing"]:
            self.stdout.write(f"{len(manifest['missing'])} artifacts were not in the storage; the manifest names them.")
