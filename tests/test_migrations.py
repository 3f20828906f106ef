"""Migrations and the rolling upgrade: for a while, processes of before write to the tables of after."""

from __future__ import annotations

from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import AddField
from django.db.models import NOT_PROVIDED

OURS = ("audit", "phases", "relman", "releases")


def added():
    """Name and field of every column that a later migration adds."""
    migrations = MigrationLoader(None).disk_migrations
    for (app, name), migration in migrations.items():
        for operation in migration.operations if app in OURS and not migration.initial else ():
            if isinstance(operation, AddField):
                yield f"{app} {name}: {operation.model_name}.{operation.name}", operation.field


def test_a_column_that_came_later_can_be_left_out_by_code_that_does_not_know_it():
    found = dict(added())
    assert "releases 0003_emergency_and_maintenance: promotion.emergency_reason" in found
    bad = [
        name
        for name, field in found.items()
        if not (field.null or field.many_to_many or field.db_default is not NOT_PROVIDED)
    ]
    assert not bad
