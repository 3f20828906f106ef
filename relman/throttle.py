"""Guessing is slow: failed sign-ins and made-up tokens are counted in the shared database.

Counted are failures only, so that work with a good token costs nothing here. The broker is not used: it may be
down or come back empty, and then guessing would be free.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest
from django.utils.timezone import localtime

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

    now = clock.now()
    recent = Failure.objects.filter(key=key[:200], at__gt=now - timedelta(seconds=limit.seconds)).order_by("-at")
    times = list(recent.values_list("at", flat=True)[: limit.failures])
    if len(times) >= limit.failures:
        wait = max(1, math.ceil((times[-1] + timedelta(seconds=limit.seconds) - now).total_seconds()))
        raise TooMany(
            f"Too many failed attempts. Try again in {_minutes(wait)}, at "
            f"{localtime(now + timedelta(seconds=wait)):%H:%M:%S %Z}, or ask an administrator.",
            retry_after=wait,
        )


def _minutes(seconds: int) -> str:
    """How long to wait, in the unit that says it best."""
    if seconds < 60:
        return f"{seconds} second{'s' if seconds != 1 else ''}"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} minute{'s' if minutes != 1 else ''}"


def tries_left(request: HttpRequest | None, username: str) -> int:
    """How often this address may still give a wrong password for that name, known or not."""
    from relman.models import Failure

    since = clock.now() - timedelta(seconds=PERSON.seconds)
    return max(0, PERSON.failures - Failure.objects.filter(key=_person(request, username)[:200], at__gt=since).count())


def _person(request: HttpRequest | None, username: str | None) -> str:
    return f"password {_address(request)} {(username or '').lower()}"


def _address(request: HttpRequest | None) -> str:
    return request.META.get("REMOTE_ADDR", "") if request is not None else ""


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
        address, person = _address(request), _person(request, username)
        check(person, PERSON)
        check(f"password {address}", ADDRESS)
        user = super().authenticate(request, username=username, password=password, **extra)
        if user is None:
            fail(person, f"password {address}")
        return user
