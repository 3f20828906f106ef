"""Who acts, and how they came."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from phases.models import Token, User

Via = Literal["page", "api", "cli", "admin", "gateway", "system"]


@dataclass
class Actor:
    """One person or machine in one request; `user` is None for RelMan itself.

    `memo` lives as long as the actor, one request: rights are read once for it.
    """

    user: User | None
    via: Via
    address: str = ""
    token: Token | None = None
    memo: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def system(cls) -> Actor:
        """RelMan itself: the engine, the sweep, the schedule."""
        return cls(user=None, via="system")

    @property
    def name(self) -> str:
        """How the record calls this actor."""
        return self.user.display if self.user else "RelMan"

    @property
    def is_superuser(self) -> bool:
        """Whether this is an administrator whose account is active."""
        return bool(self.user and self.user.is_superuser and self.user.is_active)
