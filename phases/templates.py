"""The pipelines that come ready to use. Pure: adding one is adding lines here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.text import slugify

from phases.slugs import check_slug
from relman.errors import Invalid

PHASES_MOST = 20


@dataclass(frozen=True)
class PhaseSpec:
    """One phase of a pipeline to be made."""

    slug: str
    name: str
    description: str = ""
    optional: bool = False
    public: bool = False
    in_order: bool = False
    auto_rollback: bool = False
    needs_way_back: bool = False


@dataclass(frozen=True)
class RuleSpec:
    """One approval rule of a phase to be made: so many people of a role."""

    phase: str
    name: str
    role: str
    count: int = 1


@dataclass(frozen=True)
class Template:
    """A pipeline ready to use."""

    name: str
    phases: tuple[PhaseSpec, ...]
    rules: tuple[RuleSpec, ...] = ()


DEV = PhaseSpec("dev", "Dev", "Developers deploy and test while they build.")
QA = PhaseSpec("qa", "QA", "Integration, test cases, demos and feature approval.")
DEMO = PhaseSpec("demo", "Demo", "Stakeholders see what comes, and approve features.")
STAGE = PhaseSpec("stage", "Stage", "Business teams accept before the users get it.")
LIVE = PhaseSpec("live", "Live", "What the users use.", public=True)
BUSINESS = RuleSpec("live", "business", "business-owner")
QUALITY = RuleSpec("live", "quality", "qa-engineer")

TEMPLATES: dict[str, Template] = {
    "dev-qa-stage-live": Template("Dev → QA → Stage → Live", (DEV, QA, STAGE, LIVE), (BUSINESS, QUALITY)),
    "demo-live": Template("Demo → Live", (DEMO, LIVE), (BUSINESS,)),
    "dev-demo-stage-live": Template("Dev → Demo → Stage → Live", (DEV, DEMO, STAGE, LIVE), (BUSINESS, QUALITY)),
}
FLAGS = ("optional", "public", "in_order", "auto_rollback", "needs_way_back")
FLAGS_TOLD = "optional, public, in_order, auto_rollback and needs_way_back"


def layout(wanted: str | Sequence[PhaseSpec | Mapping[str, Any]]) -> Template:
    """The template of that name, or one made from a list of phases. Invalid when it cannot be built."""
    if isinstance(wanted, str):
        if wanted not in TEMPLATES:
            names = ", ".join(TEMPLATES)
            raise Invalid(
                f"There is no template “{wanted}”. Known: {names}.", fields={"template": [f"One of {names}."]}
            )
        return TEMPLATES[wanted]
    phases = tuple(one if isinstance(one, PhaseSpec) else spec(one) for one in wanted)
    _check(phases)
    return Template("Your own", phases)


def spec(given: Mapping[str, Any]) -> PhaseSpec:
    """A phase from plain data: name, and optionally slug, description and the flags."""
    if not isinstance(given, Mapping) or set(given) - {"slug", "name", "description", *FLAGS}:
        raise Invalid(
            f"A phase has name, slug, description, {FLAGS_TOLD}.",
            fields={"phases": [f"Only name, slug, description, {FLAGS_TOLD} are known."]},
        )
    name = given.get("name")
    if not isinstance(name, str) or not name.strip() or len(name) > 100:
        raise Invalid("A phase has a name of at most 100 characters.", fields={"phases": ["Name each phase."]})
    if any(not isinstance(given.get(flag, False), bool) for flag in FLAGS):
        raise Invalid(f"{FLAGS_TOLD} are true or false.", fields={"phases": ["True or false."]})
    slug = str(given.get("slug") or slugify(name)[:63].strip("-"))
    flags = {flag: given.get(flag, False) for flag in FLAGS}
    return PhaseSpec(slug, name.strip(), str(given.get("description") or "")[:300], **flags)


def _check(phases: tuple[PhaseSpec, ...]) -> None:
    if not 1 <= len(phases) <= PHASES_MOST:
        said = f"A pipeline has between one and {PHASES_MOST} phases."
        raise Invalid(said, fields={"phases": [said]})
    for one in phases:
        check_slug(one.slug, "A phase")
    slugs = [one.slug for one in phases]
    twice = sorted({slug for slug in slugs if slugs.count(slug) > 1})
    if twice:
        said = f"Each phase needs a short name of its own; twice: {', '.join(twice)}."
        raise Invalid(said, fields={"phases": [said]})
