"""Who asks: by bearer token or by session, and how they came."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.http import HttpRequest
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication

from relman import throttle
from relman.actors import Actor, Via
from relman.errors import RelManError

if TYPE_CHECKING:
    from rest_framework.request import Request

    from phases.models import Token, User

NOTHING_SHOWN = "Send a token of yours: Authorization: Bearer <token>. You make one on your profile page."
NO_KEY = (
    "A session changes something only with the page's key (X-CSRFToken), from RelMan's own pages. "
    "Programs send a token instead: Authorization: Bearer <token>."
)
NOT_ACCEPTED = "RelMan does not accept this token. It may be mistyped, expired or revoked."


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`. Comes first, so that who is not known gets 401 and not 403."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        """The token's owner and the token; None without the header. Raises AuthenticationFailed, or TooMany."""
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        scheme, _, text = header.partition(" ")
        from phases import tokens

        found = tokens.authenticate(text.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            self._count(request)
            raise exceptions.AuthenticationFailed(NOT_ACCEPTED)
        return found

    def authenticate_header(self, request: Request) -> str:
        """The challenge of a 401."""
        return "Bearer"

    def _count(self, request: Request) -> None:
        key = f"token {request.META.get('REMOTE_ADDR', '')}"
        throttle.check(key, throttle.TOKENS)
        throttle.fail(key)


class PageAuthentication(SessionAuthentication):
    """A page's session; whatever it changes needs the page's key."""

    def enforce_csrf(self, request: Request) -> None:
        """Raises RelManError with the same `csrf` as a form that came without its key."""
        try:
            super().enforce_csrf(request)
        except exceptions.PermissionDenied as error:
            raise RelManError(NO_KEY, code="csrf", status=403) from error


def actor_of(request: HttpRequest | Request) -> Actor:
    """Who acts in this request and how they came. One object a request: rights are read once for it."""
    plain: HttpRequest = getattr(request, "_request", request)
    user = cast("User", request.user)
    token = getattr(request, "auth", None)
    known: Actor | None = plain.__dict__.get("_relman_actor")
    if known is not None and known.user == user and known.token == token:
        return known
    actor = Actor(
        user=user if user.is_authenticated else None,
        via=_via(plain, token),
        address=plain.META.get("REMOTE_ADDR", ""),
        token=token,
    )
    plain.__dict__["_relman_actor"] = actor
    return actor


def _via(request: HttpRequest, token: Token | None) -> Via:
    if request.path_info.startswith("/admin/"):
        return "admin"
    if token is None:
        return "page"
    return "cli" if request.headers.get("User-Agent", "").startswith("relman-cli") else "api"
