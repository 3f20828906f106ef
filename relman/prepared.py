"""Statements that are asked all the time: the database reads and plans each once a connection, and not each time.

What is written by hand for the engine's way is short to run and long to plan: half a millisecond, many times a
promotion. Everything else goes through the ORM.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import psycopg
from django.db import connection


class _Cursor(psycopg.Cursor[tuple[Any, ...]]):
    """Sends values beside the words, where Django's writes them into the words."""

    def execute(
        self, query: Any, params: Any = None, *, prepare: bool | None = True, binary: bool | None = None
    ) -> Any:
        return super().execute(query, params, prepare=prepare, binary=binary)


def rows(statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """All rows that this statement answers, in the caller's transaction or one of its own.

    Name the type of each value in the statement: the database cannot always guess it.
    """
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection._prepare_cursor(_Cursor(cast(Any, connection.connection))) as cursor:  # type: ignore[attr-defined]  # Django has no public way
        cursor.execute(statement, values)
        return list(cursor.fetchall())
