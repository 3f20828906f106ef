"""The few small pages that the gateway shows when there is no application to show.

They stand on an environment's own host, where RelMan's style sheet cannot be reached: one style, in the page, allowed
by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape

STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto 0;padding:0 1.5rem}"
    "h1{font-size:1.25rem}"
)
POLICY = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def page(title: str, sentence: str, link: tuple[str, str] | None = None) -> str:
    """A whole HTML page: what is the matter, and what helps; `link` is (words, address)."""
    way = f'<p><a href="{escape(link[1])}">{escape(link[0])}</a></p>' if link else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} · RelMan</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1><p>{escape(sentence)}</p>{way}</main></body></html>\n"
    )
