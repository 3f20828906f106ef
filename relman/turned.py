"""Characters that turn the text around them: on a page they are shown, not obeyed.

A name with a right-to-left override in it would else draw the version and the phase after it backwards.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponse, HttpResponseBase
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Embeddings, overrides and isolates."""
UNSEEN = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""Those, and all else that nobody sees though two texts differ by it."""
IN_BYTES = re.compile(b"\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]")
"""TURNS in UTF-8."""
NOT_TEXT = re.compile(r"(<(textarea|title|option|script|style)\b.*?</\2\s*>|<[^>]*>)", re.DOTALL | re.IGNORECASE)
"""What stays as it is: tags with their attributes, fields, and what can hold no mark."""


def mark(letter: str) -> SafeString:
    """The character's number, as a mark that names it."""
    name = unicodedata.name(letter, "control character").lower()
    return format_html('<span class="ctl" title="{}">U+{}</span>', name, f"{ord(letter):04X}")


def marked(html: str, which: re.Pattern[str]) -> SafeString:
    """Escaped text with such characters as marks."""
    return mark_safe(which.sub(lambda found: mark(found.group()), html))  # noqa: S308 (escaped by whoever asks)


class TurnedMiddleware:
    """Every page and every fragment, whoever wrote the name in it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if isinstance(response, HttpResponse) and _turns(response):
            response.content = shown(response.content.decode(response.charset))
        return response


def _turns(response: HttpResponse) -> bool:
    """Whether it is a page with such a character."""
    return response.get("Content-Type", "").startswith("text/html") and bool(IN_BYTES.search(response.content))


def shown(page: str) -> str:
    """The page with the characters that turn text as marks wherever it is text."""
    parts = NOT_TEXT.split(page)
    # Two groups a separator: the separator itself, and the name of its element.
    text, kept = parts[::3], parts[1::3]
    return "".join(marked(words, TURNS) + tag for words, tag in zip(text, [*kept, ""], strict=True))
