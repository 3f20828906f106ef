"""`manage.py verify_audit`: does the record still say what it said?"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from relman.audit import chain


class Command(BaseCommand):
    help = "Verifies the chain of the record and names the first broken link. Exit code 0: whole, 1: broken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--checkpoint", type=Path, help="a checkpoint written earlier: the chain must contain it")
        parser.add_argument("--write-checkpoint", type=Path, help="write the chain's head here, to be kept elsewhere")
        parser.add_argument("--export", type=Path, help="write the chain here, one JSON line for each link")
        parser.add_argument("--file", type=Path, help="verify an exported file in place of the database")

    def handle(self, *args: Any, **options: Any) -> None:
        known = json.loads(options["checkpoint"].read_text()) if options["checkpoint"] else None
        broken = self.look(options["file"], known)
        if broken:
            raise CommandError(f"The record is broken at link {broken.sequence}. {broken.sentence}", returncode=1)
        if options["file"]:
            self.stdout.write("The exported record is whole.")
            return
        self.write(options)
        head = chain.checkpoint()
        self.stdout.write(f"The record is whole: {head['sequence']} links, head {head['hash']}.")
        waiting = chain.unsealed()
        if waiting:
            self.stdout.write(f"{waiting} newest events wait for their link.")

    def look(self, file: Path | None, known: dict[str, Any] | None) -> chain.Broken | None:
        """The first broken link of the file or of the database."""
        if file is None:
            while chain.seal(everything=True):
                pass
            return chain.verify(known)
        with file.open() as lines:
            return chain.check_lines(lines, known)

    def write(self, options: dict[str, Any]) -> None:
        """Export and checkpoint, where asked for."""
        if options["export"]:
            with options["export"].open("w") as file:
                file.writelines(line + "\n" for line in chain.export())
        if options["write_checkpoint"]:
            options["write_checkpoint"].write_text(json.dumps(chain.checkpoint()) + "\n")
