"""What every page needs around its content; read only where a template asks for it."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.timezone import get_current_timezone_name


def shell(request: HttpRequest) -> dict[str, Any]:
    """`shell` (None for a stranger), `organisation`, `theme`, `zone`, and when it is `drawn` (ms), for templates."""
    user = getattr(request, "user", None)
    known = bool(user and user.is_authenticated)
    return {
        "shell": SimpleLazyObject(lambda: _shell(request)) if known else None,
        "maintenance": SimpleLazyObject(_maintenance) if known else None,
        "organisation": settings.ORGANISATION,
        "theme": user.theme if user and known else request.COOKIES.get("relman_theme", ""),
        "drawn": int(time.time() * 1000),
        "zone": get_current_timezone_name(),
    }


def _maintenance() -> Any:
    """For the admin's pages, which have no shell around them."""
    from releases.queries.maintenance import held_now

    return held_now()


def _shell(request: HttpRequest) -> Any:
    from releases import queries
    from relman.identity import actor_of

    return queries.shell(actor_of(request))
