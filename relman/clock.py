"""The one clock: the database's. Clocks of workers and web processes are never compared."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from relman.errors import Invalid

YEARS = range(1970, 9991)
"""Years that fit the calendar in every time zone, in the database and here."""


def now() -> datetime:
    """The database's time at this statement, with its zone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def must_fit(**moments: datetime | None) -> None:
    """Invalid, naming the field, for a moment that somebody chose and that not every page could show: one that lies in
    the year 9999 here lies in 10000 further west, and whatever is kept with it could not be read again."""
    wrong = {name for name, moment in moments.items() if moment is not None and moment.year not in YEARS}
    if wrong:
        said = f"Choose a year from {YEARS.start} to {YEARS.stop - 1}."
        raise Invalid(f"Nothing was saved. {said}", fields={name: [said] for name in sorted(wrong)})
