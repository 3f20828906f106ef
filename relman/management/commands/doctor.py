"""`manage.py doctor`: is this installation well? Exit code 0: yes, 1: no."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from relman import doctor


class Command(BaseCommand):
    help = "Looks at database, secrets, artifacts, record, targets and gateway: one line each."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--look", action="store_true", help="hold nothing, only look")
        parser.add_argument("--no-gateway", action="store_true", help="RelMan is stopped: leave the gateway out")

    def handle(self, *_: Any, look: bool, no_gateway: bool, **__: Any) -> None:
        ill = 0
        for found in doctor.examine(block=not look, gateway_too=not no_gateway):
            ill += not found.well
            self.stdout.write(f"{'well' if found.well else 'ILL ':<5} {found.name:<10} {found.sentence}")
        if ill:
            raise CommandError(f"{ill} of these need somebody.", returncode=1)
