"""Products and prices from a database that a migration has prepared, as a page and as JSON."""

import os

import store
from web import Application, e

app = Application("Catalogue", "#a0471d", ["PAGE_SIZE"])


def page_size():
    """How many products a page shows."""
    try:
        return max(1, min(100, int(os.environ.get("PAGE_SIZE", "9"))))
    except ValueError:
        return 9


@app.page("/")
def front(fields):
    """A search and its first results."""
    text, size = fields.get("q", ""), page_size()
    found = store.search(text)
    cards = "".join(
        f"<li><b>{e(name)}</b>{e(about)}<br><span>{cents / 100:.2f} EUR</span>" for name, about, cents in found[:size]
    )
    more = f"<p><i>and {len(found) - size} more</i></p>" if len(found) > size else ""
    count = "1 product" if len(found) == 1 else f"{len(found)} products"
    search_box = f'<input type="search" name="q" value="{e(text)}" placeholder="Pen, lamp …" aria-label="Search">'
    form = f"<form>{search_box}<button>Search</button></form>"
    return f"<h1>{count}</h1>{form}<ul class='cards'>{cards}</ul>{more}"


@app.page("/api/products")
def products(fields):
    """The same search as JSON."""
    found = store.search(fields.get("q", ""))
    return {"products": [{"name": name, "about": about, "cents": cents} for name, about, cents in found]}


if __name__ == "__main__":
    app.serve()
