"""`manage.py retention`: what may be deleted, and, when told so, deleting it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from releases.actions import retention
from releases.retention import Decision, Rule
from relman import words
from relman.actors import Actor
from relman.errors import RelManError


class Command(BaseCommand):
    help = "Says which artifacts and logs may be deleted, and why the rest stays. Deletes nothing without --apply."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, default=settings.KEEP_DAYS, help="kept after the last use")
        parser.add_argument("--keep", type=int, default=settings.KEEP_RELEASES, help="newest of each application")
        parser.add_argument("--apply", action="store_true", help="really delete")

    def handle(self, *_: Any, days: int, keep: int, apply: bool, **__: Any) -> None:
        if days < 0 or keep < 0:
            raise CommandError("--days and --keep are whole numbers from 0.")
        rule = Rule(days, keep)
        try:
            decision, logs = retention.apply(rule, actor=Actor.system()) if apply else retention.look(rule)
        except RelManError as error:
            raise CommandError(str(error)) from error
        self._tell(decision, "Removed" if apply else "Would remove")
        size = words.size(decision.freed)
        lines = f"{logs.lines} log lines of {logs.promotions} promotions"
        if apply:
            self.stdout.write(f"{len(decision.going)} artifacts ({size}) and {lines} are removed.")
        else:
            self.stdout.write(f"{len(decision.going)} artifacts ({size}) and {lines} may go: repeat with --apply.")

    def _tell(self, decision: Decision, word: str) -> None:
        for one, reason in decision.staying:
            self.stdout.write(f"Stays: {one.name}. {reason}")
        for one in decision.going:
            self.stdout.write(f"{word}: {one.name}, {words.size(one.size)}, last used {one.age:.0f} days ago.")
