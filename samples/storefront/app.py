"""The storefront: greets with what its phase configures."""

import html
import os

from page import page, serve, table

GREETING = os.environ["GREETING"]
CURRENCY = os.environ.get("CURRENCY", "EUR")


def home() -> tuple[int, str, str]:
    facts = {
        "Greeting": GREETING,
        "Currency": CURRENCY,
        "Payment key": "set" if os.environ.get("PAYMENT_KEY") else "not set",
    }
    return page("Storefront", f'<p class="lead">{html.escape(GREETING)}</p>{table(facts)}')


serve({"/": home})
