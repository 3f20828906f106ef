"""What rights there are, and which role has which of them by default. Pure: knows no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

RIGHTS: dict[str, str] = {
    "view": "see",
    "open": "open the addresses of",
    "publish": "publish releases into",
    "promote": "promote into",
    "approve": "approve or reject promotions into",
    "sign_off": "sign off tests and checklists in",
    "configure": "change infrastructure and configuration of",
    "roll_back": "roll back in",
    "freeze": "freeze or lock",
    "break_glass": "override gates or use the emergency lane of",
    "manage_access": "decide who may do what in",
}
"""Right -> the words of "you may not … Live"."""

LABELS: dict[str, str] = {right: right.replace("_", " ").capitalize() for right in RIGHTS}

ALL = ("dev", "qa", "stage", "live")


@dataclass(frozen=True)
class RoleDefault:
    """One role of the template: its words, and for each right the kinds of phase where it holds."""

    name: str
    meaning: str
    rights: dict[str, tuple[str, ...]]


ROLES: dict[str, RoleDefault] = {
    "developer": RoleDefault(
        "Developer",
        "Builds the application, deploys freely to the first phase and tests there.",
        {"view": ALL, "open": ("dev", "qa"), "publish": ALL, "promote": ("dev", "qa"), "roll_back": ("dev",)},
    ),
    "qa-engineer": RoleDefault(
        "QA engineer",
        "Tests releases and says whether they are good enough.",
        {
            "view": ALL,
            "open": ("dev", "qa", "stage"),
            "promote": ("qa", "stage"),
            "approve": ALL,
            "sign_off": ("qa", "stage"),
            "roll_back": ("qa",),
        },
    ),
    "stakeholder": RoleDefault(
        "Stakeholder",
        "Looks at releases and demos, and changes nothing.",
        {"view": ("qa", "stage", "live"), "open": ("qa", "stage")},
    ),
    "business-owner": RoleDefault(
        "Business owner",
        "Decides what reaches the users.",
        {"view": ALL, "open": ("stage",), "approve": ("live",), "sign_off": ("stage",)},
    ),
    "devops": RoleDefault(
        "DevOps",
        "Sets up infrastructure, configuration and access.",
        {"view": ALL, "open": ALL, "configure": ALL, "roll_back": ALL, "freeze": ALL, "manage_access": ALL},
    ),
    "release-manager": RoleDefault(
        "Release manager",
        "Plans and moves releases through all phases.",
        {
            "view": ALL,
            "open": ALL,
            "publish": ALL,
            "promote": ALL,
            "roll_back": ALL,
            "freeze": ALL,
            "break_glass": ALL,
        },
    ),
    "ci-robot": RoleDefault(
        "CI robot",
        "Publishes what was built and brings it to the first phase.",
        {"view": ALL, "publish": ALL, "promote": ("dev",)},
    ),
}
"""The roles that a new installation has, by slug. `publish` exists in a pipeline's first phase only."""

QA_WORDS = ("qa", "demo", "test", "quality", "integration")
STAGE_WORDS = ("stag", "uat", "accept", "preprod", "pre-live", "prelive")


def kind_of(slug: str, name: str, index: int, count: int) -> str:
    """What kind of phase this is: dev, qa, stage or live.

    The first is like dev, the last like live; those between by their words, else the one before the last like stage.
    """
    if index == count - 1:
        return "live"
    if index == 0:
        return "dev"
    words = f"{slug} {name}".lower()
    if any(word in words for word in STAGE_WORDS):
        return "stage"
    if any(word in words for word in QA_WORDS):
        return "qa"
    return "stage" if index == count - 2 and count > 3 else "qa"


def kinds(phases: Sequence[tuple[str, str]]) -> list[str]:
    """The kind of each (slug, name) of a pipeline, in order."""
    return [kind_of(slug, name, index, len(phases)) for index, (slug, name) in enumerate(phases)]


def default_rights(role: str, kind: str, *, first: bool) -> frozenset[str]:
    """The rights that a role of the template has in a phase of that kind; none for a role we do not know."""
    default = ROLES.get(role)
    if default is None:
        return frozenset()
    return frozenset(r for r, where in default.rights.items() if kind in where and (first or r != "publish"))
