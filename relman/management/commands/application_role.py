"""`manage.py application_role NAME`: the database role that web and workers sign in with."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from relman import database_role


class Command(BaseCommand):
    """Run it as the owner of the tables, after each migration."""

    help = "Make a database role that cannot rewrite the record, and give it what RelMan's processes need."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="like relman_app; its password is given with psql (\\password relman_app)")

    def handle(self, *_: Any, name: str, **__: Any) -> None:
        try:
            tables = database_role.grant(name)
        except database_role.RoleError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{name} may work with {tables} tables, and cannot rewrite the record.")
