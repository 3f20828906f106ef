"""The products: one database file in the environment's own folder, kept from release to release."""

import os
import sqlite3
from pathlib import Path

PATH = Path(os.environ.get("HOME", ".")) / "catalogue.sqlite3"


def connect(**options):
    """A connection that waits for others."""
    return sqlite3.connect(PATH, timeout=5, **options)


def search(text):
    """Products whose name holds the text: (name, what it is, price in cents)."""
    pattern = "%" + text.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    with connect() as database:
        query = "SELECT name, about, cents FROM products WHERE name LIKE ? ESCAPE '\\' ORDER BY name"
        return database.execute(query, (pattern,)).fetchall()
