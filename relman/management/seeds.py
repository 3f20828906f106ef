"""What the demo tells: three small shops' worth of releases, each in another place of the pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ROLES = {
    "developer": "Developer",
    "qa-engineer": "QA engineer",
    "stakeholder": "Stakeholder",
    "business-owner": "Business owner",
    "devops": "DevOps",
    "release-manager": "Release manager",
    "ci-robot": "CI robot",
}
"""User name -> display name: the demo invents nobody."""
QUICK = {"verify": {"passes": 3, "interval": 0.3, "within": 30}}


@dataclass(frozen=True)
class Item:
    """One change of a release."""

    title: str
    kind: str = "feature"
    ticket: str = ""
    author: str = "developer"


@dataclass(frozen=True)
class Chapter:
    """One release, the phases it goes through, and where it waits for a decision."""

    version: str
    through: Sequence[str]
    notes: str
    changes: Sequence[Item]
    commit: str
    waits_in: str = ""
    approval: str = ""
    ends: Mapping[str, str] = field(default_factory=dict)
    build: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Story:
    """One application of the demo."""

    slug: str
    name: str
    description: str
    sample: str = ""
    chapters: Sequence[Chapter] = ()
    configuration: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    instances: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=lambda: QUICK)


ALL = ("dev", "qa", "stage", "live")
PLAYGROUND = Story(
    "playground",
    "Playground",
    "Try your own: publish an archive with a relman.toml and take it to Live.",
    settings={},
)

STOREFRONT = Story(
    "storefront",
    "Storefront",
    "The shop that customers see.",
    "storefront",
    configuration={
        "*": {"CURRENCY": "EUR", "PAYMENT_KEY": {"value": "sample-key", "secret": True}},
        "dev": {"GREETING": "Hello, developer"},
        "qa": {"GREETING": "Hello, tester"},
        "stage": {"GREETING": "Good day"},
        "live": {"GREETING": "Welcome"},
    },
    instances={"live": 2},
    chapters=[
        Chapter(
            "1.3.0",
            ALL,
            "The basket remembers.",
            [Item("The basket keeps its content for a week", ticket="SHOP-201")],
            "4f0c1d2",
        ),
        Chapter(
            "1.4.0",
            ("dev", "qa", "stage"),
            "Faster search, and delivery days before paying.",
            [
                Item("See the delivery day before paying", ticket="SHOP-214"),
                Item("Search answers while you type", ticket="SHOP-209"),
                Item("Discounts round the same way in the basket and on the invoice", "fix", "SHOP-220"),
            ],
            "9f2c41a",
            waits_in="live",
            approval="Tested on three phones and two browsers.",
        ),
        Chapter(
            "1.5.0-rc.1",
            ("dev",),
            "A first look at gift cards.",
            [Item("Buy a gift card", ticket="SHOP-231")],
            "c03d9aa",
        ),
    ],
)
PAYMENTS = Story(
    "payments",
    "Payments",
    "Takes the money, talks to the bank.",
    "payments",
    configuration={"*": {"BANK": "Sample bank"}, "dev": {"BANK_KEY": {"value": "dev-key", "secret": True}}},
    chapters=[
        Chapter("2.1.0", ALL, "Refunds in one step.", [Item("Refund in one step", ticket="PAY-88")], "77b1e02"),
        Chapter(
            "2.2.0",
            ("dev", "qa"),
            "Signs each request to the bank.",
            [Item("Sign requests to the bank", "security", "PAY-93"), Item("Nobody is charged twice", "fix", "PAY-90")],
            "a1d4c55",
            ends={"qa": "failed"},
            build={"needs": "BANK_KEY"},
        ),
    ],
    settings={"verify": {"passes": 3, "interval": 0.3, "within": 6}},
)
CATALOGUE = Story(
    "catalogue",
    "Catalogue",
    "Products and prices.",
    "catalogue",
    chapters=[
        Chapter(
            "3.0.1", ALL, "Prices load twice as fast.", [Item("Prices load faster", "performance", "CAT-12")], "e5e91b7"
        ),
    ],
)
STORIES = (STOREFRONT, PAYMENTS, CATALOGUE)
