"""Bring the database to this version's schema. Safe to run again."""

import sqlite3

from store import DATABASE

PRODUCTS = [("Kettle", 3490), ("Teapot", 5900), ("Tea towel", 1250)]

with sqlite3.connect(DATABASE) as store:
    before = store.execute("PRAGMA user_version").fetchone()[0]
    if before < 1:
        store.execute("CREATE TABLE product (name TEXT PRIMARY KEY, price INTEGER NOT NULL)")
        store.executemany("INSERT INTO product VALUES (?, ?)", PRODUCTS)
        store.execute("PRAGMA user_version = 1")
print(f"Schema {before} brought to 1." if before < 1 else "Schema 1 is there already.")
