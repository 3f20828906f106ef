"""Keeps secret values out of every line that RelMan stores or shows."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "••••••"
SHORTEST = 4
"""Shorter values would turn half of a log into dots."""
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, movements
    r"|\x1b[\]PX^_].*?(?:\x1b\\|\x07|$)"  # titles, links and other strings
    r"|\x1b[ -/]*[0-~]?"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Masker:
    """Replaces the given values, in every form a program is likely to print them in."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST}
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def mask(self, line: str) -> str:
        """The line as plain text: no terminal sequences, no control characters, no secret."""
        line = clean(line)
        return self._pattern.sub(MASK, line) if self._pattern else line


def clean(line: str) -> str:
    """A line of output as plain text: terminal sequences, control and half characters are gone, tabs stay."""
    return _CONTROL.sub("", _ESCAPES.sub("", line))


def _forms(secret: str) -> set[str]:
    """The secret as it is, each of its lines, and base64, URL, JSON, HTML, shell, repr and hexadecimal forms of it."""
    parts = {secret, secret.strip(), *(line.strip() for line in secret.splitlines())}
    found: set[str] = set()
    for part in parts:
        if len(part) >= SHORTEST:
            found |= {clean(part), *_encoded(part)}
    return found


def _encoded(text: str) -> set[str]:
    data = text.encode("utf-8", "surrogateescape")
    escaped = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1], repr(data)[2:-1]}
    escaped |= {form.replace("/", "\\/") for form in escaped} | {html.escape(text), html.escape(text, quote=False)}
    escaped.add(shlex.quote(text))
    urls = {quote(data, safe=""), quote(data), quote_plus(data)}
    lower = {re.sub(r"%[0-9A-F]{2}", lambda found: found.group().lower(), url) for url in urls}
    return escaped | urls | lower | _base64(data) | {data.hex(), data.hex().upper()}


def _base64(data: bytes) -> set[str]:
    """Base64 at each of the three offsets that a secret can have inside a longer text, without the uncertain ends."""
    found = set()
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * shift + data).decode().rstrip("=")
            start = (0, 2, 3)[shift]
            end = len(text) - (1 if (shift + len(data)) % 3 else 0)
            found.add(text[start:end])
    return {form for form in found if len(form) >= 2 * SHORTEST - 2}
