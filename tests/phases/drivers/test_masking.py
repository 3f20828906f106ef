"""No secret leaves in a log, in whatever form a program prints it."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import urllib.parse

import pytest

from phases.drivers.masking import MASK, Masker, clean

SECRET = 'p4ss "w0rd"/+ü&x=1'
FORMS = {
    "plain": SECRET,
    "json": json.dumps({"key": SECRET}),
    "json, unicode": json.dumps({"key": SECRET}, ensure_ascii=False),
    "repr": repr({"key": SECRET}),
    "bytes": repr(SECRET.encode()),
    "url": "https://x/?a=" + urllib.parse.quote(SECRET, safe=""),
    "url, slashes kept": urllib.parse.quote(SECRET),
    "form": urllib.parse.urlencode({"a": SECRET}),
    "lower case url": re.sub("%..", lambda found: found.group().lower(), urllib.parse.quote(SECRET, safe="")),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "basic auth": base64.b64encode(b"user:" + SECRET.encode()).decode(),
    "basic auth, longer": base64.b64encode(b"user2:" + SECRET.encode() + b":tail").decode(),
    "basic auth, other offset": base64.b64encode(b"us:" + SECRET.encode() + b"!").decode(),
    "urlsafe base64": base64.urlsafe_b64encode(SECRET.encode()).decode(),
    "hexadecimal": SECRET.encode().hex(),
    "html": html.escape(SECRET),
    "slashes escaped": json.dumps(SECRET).replace("/", "\\/"),
    "shell": shlex.quote(SECRET + "'"),
    "coloured inside": SECRET[:5] + "\x1b[31m" + SECRET[5:] + "\x1b[0m",
    "traceback": f"ValueError: invalid literal for int() with base 10: {SECRET!r}",
    "environment": f"KEY={SECRET}",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_masked_in_every_form(form: str) -> None:
    masked = Masker([SECRET, "other-secret"]).mask(f"before {FORMS[form]} after")
    assert MASK in masked
    assert masked.startswith("before ") and masked.endswith(" after")
    for piece in (SECRET[:8], base64.b64encode(SECRET.encode()).decode()[4:16], SECRET.encode().hex()[4:20]):
        assert piece not in masked


def test_each_line_of_a_secret_with_several_is_masked() -> None:
    key = "-----BEGIN KEY-----\nabcdefgh\nijklmnop\n-----END KEY-----\n"
    assert Masker([key]).mask("abcdefgh") == MASK
    assert Masker([key]).mask("x ijklmnop y") == f"x {MASK} y"


def test_the_longer_secret_wins_and_short_ones_are_left() -> None:
    assert Masker(["abcd", "abcdefgh"]).mask("abcdefgh abcd") == f"{MASK} {MASK}"
    assert Masker(["a", "on", ""]).mask("once upon a time") == "once upon a time"
    assert Masker([]).mask("nothing to hide") == "nothing to hide"


@pytest.mark.parametrize(
    ("line", "plain"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("bell\x07 back\x08 return\r", "bell back return"),
        ("\x9b31mc1", "c1"),
        ("tab\tstays", "tab\tstays"),
        ("\u202egpj", "gpj"),
        ("half \x1b[", "half "),
        ("ünï ✓", "ünï ✓"),
        ("half\udcff letter", "half letter"),
    ],
)
def test_terminal_sequences_and_control_characters_are_removed(line: str, plain: str) -> None:
    assert clean(line) == plain
