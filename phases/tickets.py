"""Where a change's ticket is told: an application's address with {ticket} in it. Pure."""

from __future__ import annotations

import re
from urllib.parse import quote

PLACE = "{ticket}"
LONGEST = 300
SHAPE = re.compile(r"https?://[^\s/?#\\{}@]+[/?#][^\s\\{}]*\{ticket\}[^\s\\{}]*")
SAID = "Write an address that begins with https:// and has {ticket} once behind the host: https://example.org/{ticket}"


def is_address(text: str) -> bool:
    """Whether it is an http or https address with one {ticket} behind its host."""
    return len(text) <= LONGEST and bool(SHAPE.fullmatch(text))


def link(address: str, ticket: str) -> str:
    """Where this ticket is; empty without an address or a ticket. What the ticket says cannot leave its place."""
    if not ticket or not is_address(address):
        return ""
    return address.replace(PLACE, quote(ticket, safe=""))
