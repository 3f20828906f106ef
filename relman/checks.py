"""System checks: a wrong setting is one sentence and a hint."""

from __future__ import annotations

from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import register as register_check


def register() -> None:
    """Called once, when Django has loaded the apps."""
    register_check(secrets)
    register_check(retention)


def secrets(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """Whether the keys that protect sessions and secrets are there and well-formed."""
    found: list[CheckMessage] = []
    if not settings.SECRETS_KEYS:
        found.append(
            Error(
                "RELMAN_SECRETS_KEY is not set, so secrets cannot be stored.",
                hint="Set it, or RELMAN_SECRETS_KEY_FILE, to a Fernet key.",
                id="relman.E001",
            )
        )
    for key in settings.SECRETS_KEYS:
        try:
            Fernet(key)
        except ValueError:
            found.append(
                Error(
                    "RELMAN_SECRETS_KEY holds something that is not a Fernet key.",
                    hint="A key is 32 bytes, URL-safe base64.",
                    id="relman.E002",
                )
            )
    return found


def retention(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """Whether it is clear who deletes what nobody needs."""
    if settings.RETENTION in ("off", "daily"):
        return []
    said = f"RELMAN_RETENTION is “{settings.RETENTION}”, which is neither off nor daily, so nothing is deleted."
    return [
        Error(said, hint="off: only `manage.py retention --apply` deletes. daily: a worker does.", id="relman.E003")
    ]
