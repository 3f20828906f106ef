"""A shop in the middle of its work, as pages show it: something live, something waiting, something that failed."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.test import Client
from django.test.client import ClientHandler

from phases.models import User
from releases.models import Promotion, Release
from tests import factories

HANDLER = ClientHandler(enforce_csrf_checks=False)
"""Shared: each handler reads all static files anew when it loads the middleware."""
ANONYMOUS, OUTSIDER = "anonymous", "outsider"


@dataclass
class World:
    """One shop, another team's shop, and somebody without any role."""

    shop: factories.Shop
    other: factories.Shop
    outsider: User
    releases: dict[str, Release] = field(default_factory=dict)
    promotions: dict[str, Promotion] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    """Numbers that addresses need."""

    def user(self, who: str) -> User | None:
        """An account by role: "admin", "outsider", "anonymous" (none), or a role's slug."""
        if who == ANONYMOUS:
            return None
        if who == OUTSIDER:
            return self.outsider
        return self.shop.actor(who).user

    def browser(self, who: str) -> Client:
        """A browser in which that person is signed in."""
        client = Client()
        client.handler = HANDLER
        user = self.user(who)
        if user is not None:
            client.force_login(user)
        return client


def build() -> World:
    """1.0.0 is live; 1.1.0 waits for Live; 1.2.0 waits for QA behind nothing; 1.3.0 failed in Dev."""
    outsider = factories.person("outsider").user
    assert outsider is not None
    world = World(factories.shop(), factories.shop("bakery"), outsider)
    shop = world.shop
    world.releases = {version: shop.release(version) for version in ("1.0.0", "1.1.0", "1.2.0")}
    world.promotions["live"] = shop.bring(world.releases["1.0.0"], "dev", "qa", "stage", "live")
    shop.bring(world.releases["1.1.0"], "dev", "qa", "stage")
    world.promotions["waiting"] = shop.ask(world.releases["1.1.0"], "live")
    return world
