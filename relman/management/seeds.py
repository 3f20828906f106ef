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
