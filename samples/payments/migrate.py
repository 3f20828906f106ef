"""Brings the database to this version. Each step is one transaction and may be asked for again."""

import sqlite3
import sys

from store import PATH

STEPS = [
    "CREATE TABLE payments (id INTEGER PRIMARY KEY, payer TEXT NOT NULL, cents INTEGER NOT NULL)",
    "ALTER TABLE payments ADD COLUMN at TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX payments_at ON payments (at)",
]
BACK = ["DROP TABLE payments", "ALTER TABLE payments DROP COLUMN at", "DROP INDEX payments_at"]


def migrate(target):
    """Go to a number of steps, up or down."""
    database = sqlite3.connect(PATH, isolation_level=None)
    now = database.execute("PRAGMA user_version").fetchone()[0]
    print(f"The database {PATH.name} is at step {now} of {len(STEPS)}.")
    while now != target:
        up = now < target
        step = STEPS[now] if up else BACK[now - 1]
        now += 1 if up else -1
        print(step, flush=True)
        database.executescript(f"BEGIN; {step}; PRAGMA user_version = {now}; COMMIT;")
    print(f"Done: step {now}.")


if __name__ == "__main__":
    migrate(int(sys.argv[1]) if len(sys.argv) > 1 else len(STEPS))
