"""Guessing is slow: failed sign-ins and made-up tokens are counted in the shared database.

Counted are failures only, so that work with a good token costs nothing here. The broker is not used: it may be
down or come back empty, and then guessing would be free.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from relman import clock
from relman.errors import RelManError

if TYPE_CHECKING:
    from phases.models import User


@dataclass(frozen=True)
class Limit:
    """So many failures in so many seconds."""

    failures: int
    seconds: int


PERSON = Limit(10, 300)
"""Wrong passwords for one account from one address."""
ADDRESS = Limit(100, 300)
"""Wrong passwords from one address, whatever the account."""
TOKENS = Limit(600, 300)
"""Made-up tokens from one address: a token holds 256 random bits, the limit only saves our time."""
KEPT = timedelta(hours=1)


class TooMany(RelManError):
    """Too many failures; `retry_after` seconds."""

    code = "throttled"
    status = 429


def check(key: str, limit: Limit) -> None:
    """Raise TooMany when `key` has failed too often. One query."""
    from relman.models import Failure

    since = clock.now() - timedelta(seconds=limit.seconds)
    if Failure.objects.filter(key=key[:200], at__gt=since).count() >= limit.failures:
        minutes = limit.seconds // 60
        raise TooMany(
            f"Too many failed attempts. Wait {minutes} minutes, then try again, or ask an administrator.",
            retry_after=limit.seconds,
        )


def fail(*keys: str) -> None:
    """Count one failure for each key; now and then forget old ones."""
    from relman.models import Failure

    now = clock.now()
    Failure.objects.bulk_create(Failure(key=key[:200], at=now) for key in keys)
    if random.random() < 0.01:  # noqa: S311 - a chance, no secret
        Failure.objects.filter(at__lt=now - KEPT).delete()


class PasswordBackend(ModelBackend):
    """Django's own sign-in by password, throttled by account and address: on pages and in admin alike."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **extra: Any
    ) -> User | None:
        """The account, or None. Raises TooMany before the password is looked at."""
        address = request.META.get("REMOTE_ADDR", "") if request is not None else ""
        person = f"password {address} {(username or '').lower()}"
        check(person, PERSON)
        check(f"password {address}", ADDRESS)
        user = super().authenticate(request, username=username, password=password, **extra)
        if user is None:
            fail(person, f"password {address}")
        return user
