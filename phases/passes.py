"""Who may go through the gateway: one-time codes, the cookies they are given for, and whose they are.

A browser shows RelMan's session only to RelMan's own host. To reach an environment's host, a signed-in person is sent
there with a code; the code buys a cookie for that host alone, and only in the browser that asked for the code: else
whoever has an account could sign a victim's browser in under their own name. The cookie points at the session: it ends
with it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import timedelta
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.db.models.functions import Now
from django.utils.crypto import constant_time_compare

from phases import permissions
from phases.models import Environment, Pass, User
from relman.actors import Actor
from relman.audit import record, recorded

CODE_LIFE = timedelta(seconds=30)
PASS_LIFE = timedelta(hours=12)
"""A browser gets a new pass without noticing, as long as its session lives."""
LONGEST_PATH = 4000
SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
"""What a browser's secret looks like: 32 random bytes."""
MARK = re.compile(r"[0-9a-f]{64}")


@recorded("environment.opened")
def admit(environment: Environment, *, actor: Actor, session_key: str, browser: str) -> str:
    """A one-time code for this environment, bound to the actor's session and to the browser that came from there
    (`browser`: the mark of its secret), good for CODE_LIFE.

    NotFound or Forbidden as `permissions.require` says. Recorded: this is where a person opens an environment.
    """
    permissions.require_as_member(actor, "open", environment, environment.application)
    if actor.user is None or not session_key:
        raise ValueError("Only a signed-in person is given a code.")
    forget_old()
    code = secrets.token_urlsafe(32)
    Pass.objects.create(
        environment=environment,
        user=actor.user,
        session_key=session_key,
        code_digest=_digest(f"{code} {browser}"),
        code_until=Now() + CODE_LIFE,
        until=Now() + PASS_LIFE,
    )
    record("environment.opened", actor=actor, subject=environment)
    return code


def enter(code: str, environment_id: int, secret: str) -> str | None:
    """The cookie that the code is good for, once; None: unknown, used, too old, for another environment, or asked for
    by another browser than the one that shows `secret`."""
    cookie = secrets.token_urlsafe(32)
    shown = _digest(f"{code} {mark(secret)}")
    fresh = Pass.objects.filter(
        code_digest=shown, environment_id=environment_id, cookie_digest=None, code_until__gt=Now()
    )
    return cookie if fresh.update(cookie_digest=_digest(cookie)) else None


def known_browser(secret: str) -> bool:
    """Whether this is a secret of ours, that a browser was given before."""
    return SECRET.fullmatch(secret) is not None


def mark(secret: str) -> str:
    """What the address of the sign-in carries of a browser's secret: enough to recognise it, useless to show."""
    return _digest(secret)


def person(cookie: str, environment_id: int) -> User | None:
    """Whose cookie this is, if their session still lives. Two queries; nothing is kept between two requests."""
    rows = Pass.objects.filter(cookie_digest=_digest(cookie), environment_id=environment_id, until__gt=Now())
    found = rows.select_related("user").first()
    if found is None or not found.user.is_active or not _lives(found.session_key, found.user):
        return None
    return found.user


def end(session_key: str | None) -> None:
    """Signing out: end every pass of the session. They end with the session anyway; this also forgets them."""
    if session_key:
        Pass.objects.filter(session_key=session_key).delete()


def forget_old() -> None:
    """Delete passes that have ended, and codes that nobody used."""
    Pass.objects.filter(until__lte=Now()).delete()
    Pass.objects.filter(cookie_digest=None, code_until__lte=Now()).delete()


def local_path(given: str) -> str:
    """The path if it leads to the same host and not back to the way in; else "/". Nobody is sent elsewhere."""
    plain = given.isascii() and given.isprintable() and "\\" not in given and " " not in given
    if not plain or not given.startswith("/") or given.startswith("//") or len(given) > LONGEST_PATH:
        return "/"
    parts = urlsplit(given)
    own = parts.path.lower().startswith("/_relman")
    return "/" if parts.scheme or parts.netloc or own else given


def _lives(session_key: str, user: User) -> bool:
    """Whether the session is there, is this person's, and was begun with today's password. Reads, never saves."""
    data = _session(session_key)
    return data.get(SESSION_KEY) == str(user.pk) and constant_time_compare(
        data.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()
    )


def _session(session_key: str) -> dict[str, Any]:
    found: dict[str, Any] = import_module(settings.SESSION_ENGINE).SessionStore(session_key).load()
    return found


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
