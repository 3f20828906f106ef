"""The database role of RelMan's own processes: it works with all tables, and cannot rewrite what is on record.

Tables belong to another role, which migrates and grants. Whoever gets the application to say SQL of his own then
still finds no way to change or delete an event, to switch the trigger off that refuses it, or to alter a table.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection, transaction
from psycopg import sql

WRITE = ("SELECT", "INSERT", "UPDATE", "DELETE")
LESS = {"audit_event": ("SELECT", "INSERT"), "audit_link": ("SELECT", "INSERT"), "django_migrations": ("SELECT",)}
"""Tables that it may not do everything with."""


class RoleError(Exception):
    """Why this role is no role for the application, as one sentence."""


def grant(name: str) -> int:
    """Make the role unless it is there (it gets no password here), and give it exactly its rights; how many tables.

    Call it as the owner of the tables, after each migration. RoleError: the role could do more than it may.
    """
    role = sql.Identifier(name)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        _check(name)
        tables = connection.introspection.table_names(cursor)
        for statement in (
            "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}",
            "GRANT USAGE ON SCHEMA public TO {}",
            "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}",
        ):
            cursor.execute(sql.SQL(statement).format(role))
        for table in tables:
            may = sql.SQL(", ").join(sql.SQL(right) for right in rights(table))
            cursor.execute(sql.SQL("GRANT {} ON {} TO {}").format(may, sql.Identifier(table), role))
    return len(tables)


def rights(table: str) -> Sequence[str]:
    """What the application may do with a table."""
    return LESS.get(table, WRITE)


def _check(name: str) -> None:
    """A role that is somebody already must not be one that could take back what is granted here."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper OR rolcreaterole OR rolreplication OR pg_has_role(oid, current_user, 'MEMBER') "
            "FROM pg_roles WHERE rolname = %s",
            [name],
        )
        if cursor.fetchone() != (False,):
            raise RoleError(
                f"The role {name} owns the tables, or could make itself their owner: choose one of its own for RelMan."
            )
