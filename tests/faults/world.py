"""The scripted world of a drill: shops with many environments, asked for things through the product's verbs."""

from __future__ import annotations

import contextlib
import dataclasses
import random
from typing import Any

from django.db import connections

from phases import actions as places
from phases.models import Environment, Phase
from releases import actions
from releases.models import Promotion, Release
from relman.errors import RelManError
from tests import factories

SECRET = "hush-4711-nobody-reads-this"
RESUMES = ("idempotent", "probe", "never")


def script(dice: random.Random, *, nevers: bool = True) -> list[dict[str, Any]]:
    """Three to six steps of every kind that ends well by itself."""
    kinds: list[dict[str, Any]] = [
        {"do": "noop"},
        {"do": "noop"},
        {"do": "sleep", "seconds": round(dice.uniform(0.2, 1.2), 1)},
        {"do": "transient", "times": 1},
        {"do": "again", "seconds": 0.3, "times": 2},
    ]
    steps = [dict(dice.choice(kinds)) for _ in range(dice.randint(3, 6))]
    for step in steps:
        step["resume"] = dice.choice(RESUMES if nevers and step["do"] == "noop" else RESUMES[:2])
    return steps


@dataclasses.dataclass
class World:
    """Shops, and what was asked for and accepted."""

    shops: list[factories.Shop]
    approving: factories.Shop
    releases: dict[int, list[Release]]
    """Environment -> its application's releases, oldest first."""
    accepted: list[int] = dataclasses.field(default_factory=list)

    @property
    def environments(self) -> list[Environment]:
        return [shop.environments["dev"] for shop in self.shops]

    def shop_of(self, environment: int) -> factories.Shop:
        return next(shop for shop in self.shops if shop.environments["dev"].pk == environment)

    def ask(self, environment: int, dice: random.Random) -> Promotion | None:
        """Ask for the newest release there once more, as a developer does; None when refused or unanswered."""
        shop = self.shop_of(environment)
        with contextlib.suppress(RelManError):
            promotion = shop.ask(self.releases[environment][-1], "dev")
            self.accepted.append(promotion.pk)
            return promotion
        return None

    def publish(self, environment: int) -> Release:
        """One more release of that environment's application."""
        known = self.releases[environment]
        known.append(self.shop_of(environment).release(f"1.{len(known)}.0"))
        return known[-1]

    def resolve(self, promotion: Promotion, *, served: bool) -> None:
        """A person has looked at the target of an errored promotion, and says what is true."""
        environment = promotion.environment_id
        shop = next(one for one in self.everybody() if environment in {e.pk for e in one.environments.values()})
        actions.resolve(
            promotion,
            actor=shop.actor("developer" if promotion.environment.phase.slug == "dev" else "devops"),
            outcome="done" if served else "failed",
            comment="I looked.",
        )

    def everybody(self) -> list[factories.Shop]:
        return [*self.shops, self.approving]


def build(seed: int, *, each: int = 4) -> World:
    """`each` environments where everything runs in order, as many where the newest wins, one that asks people."""
    dice = random.Random(seed)
    shops: list[factories.Shop] = []
    for slug, in_order in (("orderly", True), ("hasty", False)):
        first = factories.shop(slug, script={"steps": 1, "verify": {"passes": 1, "interval": 0}})
        places.set_phase(first.phase("dev"), actor=first.actor("admin"), in_order=in_order)
        shops.append(first)
        shops.extend(another(first, f"{slug}-{number}") for number in range(2, each + 1))
    world = World(shops, factories.shop("careful"), {})
    for shop in shops:
        rewrite(shop, "dev", steps=script(dice))
        world.releases[shop.environments["dev"].pk] = []
        world.publish(shop.environments["dev"].pk)
    return world


def another(first: factories.Shop, slug: str) -> factories.Shop:
    """One more application of the same people, with an environment in dev."""
    application = places.create_application(first.pipeline, actor=factories.administrator(), name=slug, slug=slug)
    shop = dataclasses.replace(first, application=application, environments={})
    dev: Phase = shop.phase("dev")
    shop.environments["dev"] = factories.environment(shop, dev, {"verify": {"passes": 1, "interval": 0}})
    places.set_configuration(
        shop.environments["dev"], {"PASSWORD": {"value": SECRET, "secret": True}}, actor=shop.actor("devops")
    )
    return shop


def rewrite(shop: factories.Shop, phase: str, **more: Any) -> None:
    """Give an environment another script."""
    settings = {"verify": {"passes": 1, "interval": 0}, **more}
    places.edit_environment(shop.environments[phase], actor=shop.actor("devops"), settings=settings)
    shop.environments[phase].refresh_from_db()


def forget_connections() -> None:
    """After the database was killed: this thread's connection is worth nothing any more."""
    with contextlib.suppress(Exception):
        connections["default"].close()
