"""Configuration values: encrypted where secret, frozen into promotions, compared, and never shown again."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from phases.models import Environment
from relman.errors import Invalid, RelManError

KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
KEY_MOST = 128
VALUE_MOST = 32 * 1024
"""Bytes of one value."""
KEYS_MOST = 500
"""Values of one environment."""
RESERVED = re.compile(r"PORT|RELMAN_.*", re.IGNORECASE)

Snapshot = Mapping[str, Mapping[str, Any]]
Change = Literal["added", "removed", "changed"]


class Unreadable(RelManError):
    """A secret that today's keys do not open."""

    code = "secret_unreadable"
    status = 409


@lru_cache(maxsize=4)
def _box(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def _keys() -> tuple[str, ...]:
    if not settings.SECRETS_KEYS:
        raise Unreadable("Secrets cannot be stored: this installation has no RELMAN_SECRETS_KEY. Ask who runs it.")
    return tuple(settings.SECRETS_KEYS)


def encrypt(value: str) -> str:
    """The value as it is stored: only the installation's keys open it."""
    return _box(_keys()).encrypt(value.encode()).decode()


def decrypt(ciphertext: str) -> str:
    """The value in the clear. Unreadable when no key of today opens it."""
    try:
        return _box(_keys()).decrypt(ciphertext.encode()).decode()
    except InvalidToken:
        raise Unreadable(
            "A secret cannot be read with today's keys. Set it again, or bring back the old RELMAN_SECRETS_KEY."
        ) from None


def fingerprint(value: str, context: str = "") -> str:
    """Keyed hash of a secret: equal for the same value in the same context, and tells nothing else."""
    key = hashlib.sha256(b"relman fingerprint" + settings.SECRET_KEY.encode()).digest()
    return hmac.new(key, f"{context}\n{value}".encode(), hashlib.sha256).hexdigest()


def snapshot(environment: Environment) -> dict[str, dict[str, Any]]:
    """Today's configuration, to be frozen: {key: {"value": …} or {"secret": ciphertext, "fingerprint", "version"}}."""
    return {
        one.key: (
            {"secret": one.ciphertext, "fingerprint": one.fingerprint, "version": one.version}
            if one.secret
            else {"value": one.value}
        )
        for one in environment.variables.order_by("key")
    }


def reveal(frozen: Snapshot) -> tuple[dict[str, str], frozenset[str]]:
    """The values in the clear, for the process that is deployed; and the secret ones among them, to be masked."""
    values = {key: decrypt(one["secret"]) if "secret" in one else str(one["value"]) for key, one in frozen.items()}
    secrets = frozenset(values[key] for key, one in frozen.items() if "secret" in one and values[key])
    return values, secrets


def digest(frozen: Snapshot) -> str:
    """SHA-256 of a snapshot; the same when the same secret was merely encrypted again."""
    plain = {
        key: {"fingerprint": one["fingerprint"]} if "secret" in one else {"value": one["value"]}
        for key, one in frozen.items()
    }
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Difference:
    """One key that differs. A secret appears as its version, never as its value."""

    key: str
    change: Change
    before: str | None
    after: str | None
    secret: bool = False

    def __iter__(self) -> Any:
        return iter((self.key, self.change, self.before, self.after))


def compare(before: Snapshot, after: Snapshot) -> list[Difference]:
    """What changed from one snapshot to the other, by key; each unpacks as (key, change, before, after)."""
    found = []
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if _same(old, new):
            continue
        change: Change = "added" if old is None else "removed" if new is None else "changed"
        found.append(
            Difference(key, change, _shown(old), _shown(new), "secret" in (old or {}) or "secret" in (new or {}))
        )
    return found


def _same(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> bool:
    if old is None or new is None:
        return old is new
    return (old.get("value"), old.get("fingerprint")) == (new.get("value"), new.get("fingerprint"))


def _shown(one: Mapping[str, Any] | None) -> str | None:
    if one is None:
        return None
    return f"secret, version {one['version']}" if "secret" in one else str(one["value"])


def missing(frozen: Snapshot, required: Iterable[str]) -> list[str]:
    """The required keys that are not set."""
    return sorted({key for key in required if key not in frozen})


def public(frozen: Snapshot) -> dict[str, dict[str, Any]]:
    """A snapshot as people may see it: secrets by version only."""
    return {
        key: {"secret": True, "version": one["version"]}
        if "secret" in one
        else {"secret": False, "value": one["value"]}
        for key, one in frozen.items()
    }


def validate(values: Mapping[str, str | None]) -> None:
    """Invalid, naming each key that cannot be set, when any of them cannot. None takes a key away."""
    wrong = {str(key)[:KEY_MOST]: said for key, value in values.items() if (said := _wrong(key, value))}
    if wrong:
        sentence = "; ".join(f"{key}: {said[0]}" for key, said in wrong.items())
        raise Invalid(f"Nothing was saved. {sentence}", fields=wrong)


def _wrong(key: Any, value: Any) -> list[str]:
    if not isinstance(key, str) or not KEY.fullmatch(key):
        return ["A key has letters, digits and underscores, and does not start with a digit."]
    if len(key) > KEY_MOST:
        return [f"A key has at most {KEY_MOST} characters."]
    if RESERVED.fullmatch(key):
        return ["RelMan sets PORT and everything that starts with RELMAN_ itself."]
    if value is None:
        return []
    if not isinstance(value, str):
        return ["A value is a text."]
    if len(value.encode(errors="surrogatepass")) > VALUE_MOST:
        return [f"A value has at most {VALUE_MOST // 1024} KiB."]
    if "\x00" in value or any("\ud800" <= sign <= "\udfff" for sign in value):
        return ["A value cannot hold NUL or half characters."]
    return []
