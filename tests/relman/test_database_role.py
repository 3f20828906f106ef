"""The role of RelMan's own processes, and what it cannot do to the record."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from relman.actors import Actor
from relman.audit import chain, record
from relman.audit.models import Event

pytestmark = pytest.mark.django_db
ATTACKS = (
    "UPDATE audit_event SET verb = 'x'",
    "UPDATE audit_link SET hash = 'x'",
    "DELETE FROM audit_event",
    "DELETE FROM audit_link",
    "TRUNCATE audit_event CASCADE",
    "ALTER TABLE audit_event DISABLE TRIGGER ALL",
    "ALTER TABLE audit_link DISABLE TRIGGER audit_link_append_only",
    "DROP TRIGGER audit_event_append_only ON audit_event",
    "CREATE OR REPLACE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE RULE quietly AS ON INSERT TO audit_event DO INSTEAD NOTHING",
    "CREATE TRIGGER last BEFORE INSERT ON audit_event EXECUTE FUNCTION audit_refuse_change()",
    "ALTER TABLE audit_event OWNER TO CURRENT_USER",
    "DROP TABLE audit_link",
    "DELETE FROM django_migrations",
)


@pytest.fixture
def application() -> Iterator[str]:
    """The application's role, signed in; with the test's transaction it is gone."""
    name = f"app_of_{connection.settings_dict['NAME']}"[:63]
    call_command("application_role", name, stdout=StringIO())
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE " + connection.ops.quote_name(name))
        yield name
        cursor.execute("RESET ROLE")


def run(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("attack", ATTACKS)
def test_it_cannot_rewrite_the_record_nor_take_its_protection_away(application: str, attack: str) -> None:
    record("x.done", actor=Actor.system())
    chain.seal()
    with pytest.raises(DatabaseError, match=r"permission denied|must be owner"):
        run(attack)
    assert chain.verify() is None and Event.objects.filter(verb="x.done").count() == 1


def test_nor_switch_triggers_off_for_itself(application: str) -> None:
    with pytest.raises(DatabaseError, match="permission denied"):
        run("SET session_replication_role = replica")


def test_it_may_do_its_work_with_every_table(application: str) -> None:
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True) if model._meta.managed}
    assert {"audit_event", "releases_promotion"} <= tables
    with connection.cursor() as cursor:
        for table in tables:
            kept = table.startswith("audit_")
            for right, wanted in (("SELECT", True), ("INSERT", True), ("UPDATE", not kept), ("DELETE", not kept)):
                cursor.execute("SELECT has_table_privilege(%s, %s)", [f'"{table}"', right])
                assert cursor.fetchone() == (wanted,), (table, right)


def test_what_was_granted_too_much_is_taken_back(application: str) -> None:
    run("RESET ROLE")
    run(f"GRANT ALL ON audit_event TO {connection.ops.quote_name(application)}")
    call_command("application_role", application, stdout=StringIO())
    run("SET ROLE " + connection.ops.quote_name(application))
    with pytest.raises(DatabaseError, match="permission denied"):
        run("TRUNCATE audit_event CASCADE")


def test_the_owner_of_the_tables_is_no_role_for_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        (owner,) = cursor.fetchone()
    with pytest.raises(CommandError, match="choose one of its own"):
        call_command("application_role", owner)
