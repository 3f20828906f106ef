"""What people set for themselves."""

from __future__ import annotations

from phases.models import User
from relman.actors import Actor
from relman.errors import NotFound

from .checks import changed, cleaned


def set_display(
    user: User,
    *,
    actor: Actor,
    theme: str | None = None,
    time_zone: str | None = None,
    shortcuts: bool | None = None,
) -> User:
    """How RelMan looks for oneself; None: leave it. Not in the record: it concerns nobody else and moves nothing."""
    if actor.user is None or actor.user.pk != user.pk:
        raise NotFound()
    given = {"theme": theme, "time_zone": time_zone, "shortcuts": shortcuts}
    if changed(user, given)[1]:
        cleaned(user, exclude=("password",)).save(update_fields=list(given))
    return user
