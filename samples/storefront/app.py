"""A shop's front page."""

import os

from web import Application, e

app = Application("Storefront", "#2f5fd0", ["GREETING", "CURRENCY", "PAYMENT_KEY"], secrets=["PAYMENT_KEY"])
GOODS = [
    ("Linen notebook", "Dotted, 160 pages", 14),
    ("Brass pen", "Refillable", 38),
    ("Felt sleeve", "For 13 inches", 29),
    ("Oak stand", "Made to order", 52),
    ("Wool desk mat", "80 by 30 cm", 45),
    ("Paper clips", "A hundred, copper", 6),
]


@app.page("/")
def front(fields):
    """The goods, under a greeting that each phase configures."""
    sign = os.environ.get("CURRENCY", "EUR")
    cards = "".join(
        f"<li><b>{e(name)}</b>{e(about)}<br><span>{price}.00 {e(sign)}</span>" for name, about, price in GOODS
    )
    lead = "<p class='lead'>Good things for a desk, a few of each.</p>"
    return f"<h1>{e(os.environ.get('GREETING', 'Welcome'))}</h1>{lead}<ul class='cards'>{cards}</ul>"


@app.page("/api/goods")
def goods(fields):
    """The same as JSON."""
    return {"goods": [{"name": name, "about": about, "price": price} for name, about, price in GOODS]}


if __name__ == "__main__":
    app.serve()
