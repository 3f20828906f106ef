"""The database: one file in the environment's own folder, kept from release to release."""

import os
import sqlite3
import time
from pathlib import Path

PATH = Path(os.environ.get("HOME", ".")) / "payments.sqlite3"


def connect():
    """A connection that waits for others."""
    return sqlite3.connect(PATH, timeout=5)


def pay(payer, cents):
    """Note one payment."""
    with connect() as database:
        now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        database.execute("INSERT INTO payments (payer, cents, at) VALUES (?, ?, ?)", (payer, cents, now))


def latest(count=8):
    """The last payments, newest first, and the sum of all."""
    with connect() as database:
        rows = database.execute("SELECT payer, cents, at FROM payments ORDER BY id DESC LIMIT ?", (count,)).fetchall()
        return rows, database.execute("SELECT coalesce(sum(cents), 0) FROM payments").fetchone()[0]
