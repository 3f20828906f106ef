"""Brings the database to this version. Each step is one transaction, and asking again changes nothing."""

import sys

from store import PATH, connect

PRODUCTS = """
INSERT INTO products (name, about, cents) VALUES
 ('Brass pen', 'Refillable', 3800), ('Cork board', '60 by 40 cm', 3300), ('Desk lamp', 'Warm light', 8900),
 ('Felt sleeve', 'For 13 inches', 2900), ('Linen notebook', 'Dotted, 160 pages', 1400),
 ('Oak stand', 'Made to order', 5200),
 ('Paper clips', 'A hundred, copper', 600), ('Pencil tray', 'Beech', 2400), ('Ruler', 'Steel, 30 cm', 900),
 ('Sticky notes', 'Four colours', 500), ('Stone weight', 'Each one differs', 1900),
 ('Wool desk mat', '80 by 30 cm', 4500)
"""
STEPS = [
    "CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, cents INTEGER NOT NULL)",
    "ALTER TABLE products ADD COLUMN about TEXT NOT NULL DEFAULT ''",
    PRODUCTS,
]
BACK = ["DROP TABLE products", "ALTER TABLE products DROP COLUMN about", "DELETE FROM products"]


def migrate(target):
    """Go to a number of steps, up or down."""
    database = connect(isolation_level=None)
    now = database.execute("PRAGMA user_version").fetchone()[0]
    print(f"The database {PATH.name} is at step {now} of {len(STEPS)}.")
    while now != target:
        up = now < target
        step = STEPS[now] if up else BACK[now - 1]
        now += 1 if up else -1
        print(step.strip().partition("\n")[0], flush=True)
        database.executescript(f"BEGIN; {step}; PRAGMA user_version = {now}; COMMIT;")
    print(f"Done: step {now}.")


if __name__ == "__main__":
    migrate(int(sys.argv[1]) if len(sys.argv) > 1 else len(STEPS))
