"""Names that stand in addresses: DNS labels, and the words that addresses need themselves. Pure."""

from __future__ import annotations

import re

from relman.errors import Invalid

LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# fmt: off
RESERVED = frozenset({
    "access", "account", "accounts", "activity", "add", "admin", "api", "application", "applications", "approvals",
    "archive", "assets", "audit", "board", "calendar", "compare", "components", "config", "configuration", "create",
    "delete", "docs", "edit", "environment", "environments", "event", "events", "export", "favicon", "freezes",
    "gate", "grants", "health", "healthz", "help", "history", "home", "insights", "live-events", "lock", "locks",
    "log", "login", "logout", "me", "metrics", "move", "new", "notices", "phase", "phases", "pipeline", "pipelines",
    "pictures", "profile", "promotion", "promotions", "public", "release", "releases", "relman", "remove", "robots",
    "roles", "rollback", "rules", "schema", "search", "secrets", "settings", "sign-in", "signin", "signout",
    "static", "status", "stream", "token", "tokens", "upload", "users", "version", "well-known", "www", "localhost",
})
# fmt: on


def check_slug(slug: str, what: str) -> str:
    """The slug, or Invalid with the sentence for the form. `what`: "An application"."""
    said = _wrong(slug, what)
    if said:
        raise Invalid(said, fields={"slug": [said]})
    return slug


def _wrong(slug: object, what: str) -> str:
    if not isinstance(slug, str) or not LABEL.fullmatch(slug):
        return (
            f"{what}'s short name has small letters, digits and dashes, at most 63, "
            "and starts and ends with a letter or digit: it becomes part of an address."
        )
    if slug in RESERVED or slug.startswith("xn--"):
        return f"“{slug}” is a word that RelMan's own addresses need. Choose another short name."
    return ""
