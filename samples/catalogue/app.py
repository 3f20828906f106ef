"""The catalogue: a small database that its migration keeps up to date."""

import sqlite3
from pathlib import Path

from page import page, serve, table
from store import DATABASE


def home() -> tuple[int, str, str]:
    with sqlite3.connect(DATABASE) as store:
        rows = store.execute("SELECT name, price FROM product ORDER BY name").fetchall()
        schema = store.execute("PRAGMA user_version").fetchone()[0]
    products = {name: f"{price / 100:.2f} EUR" for name, price in rows}
    return page("Catalogue", f"{table(products)}<p>Schema {schema}, in {Path(DATABASE).name}.</p>")


serve({"/": home})
