"""Bearer tokens: shown once, kept as a hash, never wider or longer-lived than who they act for."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from django.db.models import Q
from django.db.models.functions import Now

from phases import permissions
from phases.models import Application, Phase, Token, User
from phases.permissions.table import RIGHTS
from relman import clock
from relman.actors import Actor
from relman.audit import record, recorded
from relman.errors import Conflict, Forbidden, Invalid, NotFound

M = TypeVar("M", Application, Phase)
RAW = re.compile(r"rlm_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
USED_EVERY = timedelta(minutes=1)
NAME_MOST = 100
DEEPEST = 4
"""How many tokens may stand behind a token."""


def _digest(raw: str) -> str:
    return hashlib.sha256(raw.encode()).hexdigest()


NOBODY = _digest("nobody")


@recorded("token.issued")
def issue(
    owner: User,
    *,
    actor: Actor,
    name: str,
    rights: Sequence[str] = (),
    applications: Sequence[Application] | None = None,
    phases: Sequence[Phase] | None = None,
    expires_at: datetime | None = None,
    parent: Token | None = None,
) -> tuple[Token, str]:
    """Make a token; the second value is the token itself, to be shown once.

    No rights, None for applications or phases: no limit of that kind beside the owner's (or the parent's) own.
    For oneself, or by an administrator for a machine account. A token that makes a token is its parent.
    """
    parent = parent or actor.token
    _may(owner, actor, parent)
    _check_name(name)
    wanted = _rights(rights, parent)
    only_applications = _limit(applications, parent, "applications")
    only_phases = _limit(phases, parent, "phases")
    _visible(owner, applications, phases)
    token, raw = _new(owner, name.strip(), wanted, _end(expires_at, parent), parent)
    token.limited_to_applications, token.limited_to_phases = only_applications is not None, only_phases is not None
    token.save()
    token.applications.set(only_applications or ())
    token.phases.set(only_phases or ())
    record("token.issued", actor=actor, subject=token, after=words(token),
           detail=f"A token “{token.name}” was issued for {owner.display}.")  # fmt: skip
    return token, raw


def _may(owner: User, actor: Actor, parent: Token | None) -> None:
    if not owner.is_active:
        raise Conflict(f"{owner.display}'s account is switched off: no token can act for it.")
    if parent and (parent.owner_id != owner.pk or _depth(parent) >= DEEPEST):
        raise Forbidden("A token makes tokens for its own owner only, and not without end.")
    if actor.user is None and actor.via == "system":
        return
    if actor.user is not None and actor.user.pk == owner.pk:
        return
    if actor.is_superuser and actor.token is None and owner.machine and not owner.is_superuser:
        return
    raise Forbidden("A token is made by the person it acts for; for a machine account, by an administrator.")


def _depth(token: Token | None) -> int:
    return 0 if token is None else 1 + _depth(token.parent)


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > NAME_MOST:
        said = f"Name the token, in at most {NAME_MOST} characters: where is it used?"
        raise Invalid(said, fields={"name": [said]})


def _rights(rights: Sequence[str], parent: Token | None) -> list[str]:
    unknown = sorted(set(rights) - set(RIGHTS))
    if unknown:
        said = f"There is no right {', '.join(unknown)}. Known: {', '.join(RIGHTS)}."
        raise Invalid(said, fields={"rights": [said]})
    limit = set(parent.rights) if parent and parent.rights else set(RIGHTS)
    if set(rights) - limit:
        raise Forbidden("A token cannot have a right that the token it was made with does not have.")
    wanted = set(rights) | {"view"} & limit if rights else limit
    return [] if wanted == set(RIGHTS) and not rights else sorted(wanted)


def _limit(wanted: Sequence[M] | None, parent: Token | None, field: str) -> list[M] | None:
    """What the token is limited to of a kind; None is no limit."""
    chosen = None if wanted is None else list(wanted)
    if parent is None or not getattr(parent, f"limited_to_{field}"):
        return chosen
    allowed: list[M] = list(getattr(parent, field).all())
    if chosen is None:
        return allowed
    if any(one not in allowed for one in chosen):
        raise Forbidden(f"A token cannot reach {field} that the token it was made with does not reach.")
    return chosen


def _visible(owner: User, applications: Sequence[Application] | None, phases: Sequence[Phase] | None) -> None:
    """What the owner cannot see does not exist for their tokens."""
    eyes = Actor(owner, "system")
    for one in applications or ():
        if not permissions.visible_applications(eyes).filter(pk=one.pk).exists():
            raise NotFound()
    for phase in phases or ():
        if not permissions.can(eyes, "view", phase):
            raise NotFound()


def _end(wanted: datetime | None, parent: Token | None) -> datetime | None:
    clock.must_fit(expires_at=wanted)
    if wanted is not None and wanted <= clock.now():
        raise Invalid("The end of a token must be in the future.", fields={"expires_at": ["Choose a moment to come."]})
    if parent is None or parent.expires_at is None:
        return wanted
    if wanted is not None and wanted > parent.expires_at:
        raise Forbidden("A token cannot live longer than the token it was made with.")
    return wanted or parent.expires_at


def _new(owner: User, name: str, rights: list[str], end: datetime | None, parent: Token | None) -> tuple[Token, str]:
    prefix = "".join(secrets.choice(LETTERS) for _ in range(12))
    raw = f"rlm_{prefix}_{secrets.token_urlsafe(32)}"
    token = Token(owner=owner, name=name, prefix=prefix, digest=_digest(raw), rights=rights, expires_at=end)
    token.parent = parent
    return token, raw


def authenticate(raw: str) -> tuple[User, Token] | None:
    """Whom this token acts for, or None: unknown, revoked, expired, its parent is, or its owner is switched off.

    Takes the same way for each of them. Notes its use at most once a minute.
    """
    found = RAW.fullmatch(raw) if len(raw) < 200 else None
    rows = Token.objects.select_related("owner", "parent__parent__parent__parent")
    token = rows.filter(prefix=found.group(1) if found else "").annotate(asked_at=Now()).first()
    fits = hmac.compare_digest(token.digest if token else NOBODY, _digest(raw))
    if token is None or not fits:
        return None
    now: datetime = token.asked_at
    if not token.owner.is_active or not _alive(token, now):
        return None
    if token.last_used_at is None or now - token.last_used_at >= USED_EVERY:
        stale = Q(last_used_at=None) | Q(last_used_at__lte=Now() - USED_EVERY)
        Token.objects.filter(stale, pk=token.pk).update(last_used_at=Now())
    return token.owner, token


def _alive(token: Token | None, now: datetime) -> bool:
    while token is not None:
        if token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= now):
            return False
        token = token.parent
    return True


@recorded("token.revoked")
def revoke(token: Token, *, actor: Actor) -> None:
    """End a token, and all that were made with it, at once. By its owner or an administrator; a token that is
    limited ends itself and what was made with it."""
    own = actor.user is not None and actor.user.pk == token.owner_id
    if own and _is_limited(actor.token) and not _made_with(token, actor.token):
        raise Forbidden("This token is limited: it ends itself and what was made with it, no other token.")
    if not own and not (actor.is_superuser and actor.token is None) and actor.via != "system":
        raise NotFound()
    if not Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=Now()):
        raise Conflict("This token was revoked already.")
    token.refresh_from_db(fields=["revoked_at"])
    record("token.revoked", actor=actor, subject=token, before=words(token),
           detail=f"The token “{token.name}” of {token.owner.display} was revoked.")  # fmt: skip


def _is_limited(token: Token | None) -> bool:
    return token is not None and bool(token.rights or token.limited_to_applications or token.limited_to_phases)


def _made_with(token: Token | None, parent: Token | None) -> bool:
    """Whether it is the parent itself, or was made with it."""
    return token is not None and (token == parent or _made_with(token.parent, parent))


def words(token: Token) -> dict[str, object]:
    """A token as the record and its owner's page name it: never the token itself."""
    phases = [f"{phase.pipeline.slug}/{phase.slug}" for phase in token.phases.select_related("pipeline")]
    return {
        "name": token.name,
        "prefix": token.prefix,
        "owner": token.owner.username,
        "rights": token.rights,
        "applications": sorted(token.applications.values_list("slug", flat=True))
        if token.limited_to_applications
        else None,
        "phases": sorted(phases) if token.limited_to_phases else None,
        "expires_at": token.expires_at,
    }
