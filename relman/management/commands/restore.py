"""`manage.py restore DIR`: a backup into an empty installation."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from relman.backup import BackupError, restoring


class Command(BaseCommand):
    help = "Restores a backup into an empty installation whose web and worker processes do not run."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, metavar="DIR", help="what `backup` wrote")
        parser.add_argument("--keys", type=Path, metavar="FILE", help="the keys that were written with it")
        parser.add_argument("--lost-keys", action="store_true", help="restore although its secrets cannot be read")

    def handle(self, *_: Any, folder: Path, keys: Path | None, lost_keys: bool, **__: Any) -> None:
        try:
            told = restoring.restore(folder, keys_file=keys, lost_keys=lost_keys, say=self.stdout.write)
        except (BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        for sentence in told:
            self.stdout.write(sentence)
        self.stdout.write("Restored. Start RelMan, then ask `manage.py doctor` whether all is well.")
