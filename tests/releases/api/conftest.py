"""What tests of the API share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests import factories
from tests.client import Api


@pytest.fixture
def api(shop: factories.Shop) -> Callable[..., Api]:
    """`api("developer")`: a client with a token of the person with that role."""

    def make(role: str = "", **scope: Any) -> Api:
        return Api(shop.actor(role).user if role else None, **scope)

    return make


@pytest.fixture
def outsider(shop: factories.Shop) -> Api:
    """A person with a role in another team's pipeline, and none in this one."""
    other = factories.shop("other", roles=("release-manager", "devops", "ci-robot"))
    return Api(other.actor("release-manager").user)


@pytest.fixture
def archive() -> Callable[..., bytes]:
    """The bytes of a small archive."""

    def make(content: str = "", **manifest: object) -> bytes:
        staged = factories.archive("any", manifest, content=content)
        data = staged.path.read_bytes()
        staged.path.unlink()
        return data

    return make
