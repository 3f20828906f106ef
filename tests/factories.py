"""Reaching a state by walking the product's own verbs."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from phases import actions as places
from phases.models import Application, Environment, Phase, Pipeline, Role, User
from releases import actions, storage
from releases.engine import runner
from releases.models import Promotion, Release
from relman.actors import Actor

ROLES = ("developer", "qa-engineer", "stakeholder", "business-owner", "devops", "release-manager", "ci-robot")
SCRIPT: dict[str, Any] = {"steps": 2, "verify": {"passes": 1, "interval": 0}}
_numbers = itertools.count(1)


def administrator() -> Actor:
    """A superuser, made once."""
    user, _ = User.objects.get_or_create(
        username="admin", defaults={"is_superuser": True, "is_staff": True, "name": "Administrator"}
    )
    return Actor(user, "page")


def person(username: str = "") -> Actor:
    """An account without any grant."""
    name = username or f"person{next(_numbers)}"
    return Actor(places.create_user(actor=administrator(), username=name, name=name.replace("-", " ").title()), "page")


@dataclass
class Shop:
    """A pipeline of four phases, an application with an environment in each, and one person for each role."""

    pipeline: Pipeline
    application: Application
    people: dict[str, User]
    environments: dict[str, Environment] = field(default_factory=dict)

    def actor(self, role: str) -> Actor:
        """A fresh actor, as each request has one."""
        return administrator() if role == "admin" else Actor(User.objects.get(pk=self.people[role].pk), "page")

    def phase(self, slug: str) -> Phase:
        return self.pipeline.phases.get(slug=slug)

    def release(
        self, version: str = "1.0.0", *, author: str = "", manifest: Mapping[str, Any] | None = None
    ) -> Release:
        """Publish a small archive as CI does."""
        staged = archive(version, manifest or {})
        release, _ = actions.publish_release(
            self.application, actor=self.actor("ci-robot"), version=version, staged=staged, author=author
        )
        return release

    def ask(self, release: Release, phase: str, **wish: Any) -> Promotion:
        """Ask for a promotion, by whoever may."""
        who = {"dev": "developer", "qa": "qa-engineer", "stage": "qa-engineer"}.get(phase, "release-manager")
        return actions.request_promotion(release, self.environments[phase], actor=self.actor(who), **wish)

    def approve(self, promotion: Promotion) -> Promotion:
        """Both rules of the template's Live."""
        for role in ("business-owner", "qa-engineer"):
            promotion = actions.approve(promotion, actor=self.actor(role))
        return promotion

    def bring(self, release: Release, *phases: str) -> Promotion:
        """Take a release into each of these phases, to the end."""
        for phase in phases:
            promotion = self.ask(release, phase)
            promotion = self.approve(promotion) if promotion.rules else promotion
            run(promotion)
        return promotion


def shop(slug: str = "shop", *, script: Mapping[str, Any] | None = None, roles: tuple[str, ...] = ROLES) -> Shop:
    """The usual world, on the scripted driver."""
    boss = administrator()
    pipeline = places.create_pipeline("dev-qa-stage-live", actor=boss, name=slug.title(), slug=slug)
    people = {role: person(f"{slug}-{role}").user for role in roles}
    known, phases = {role.slug: role for role in Role.objects.all()}, list(pipeline.phases.all())
    for role, user in people.items():
        for phase in phases:
            places.grant(known[role], phase, actor=boss, user=user)
    application = places.create_application(pipeline, actor=boss, name=slug.title(), slug=slug)
    made = Shop(pipeline, application, {role: user for role, user in people.items() if user})
    for phase in phases:
        made.environments[phase.slug] = environment(made, phase, script or SCRIPT)
    return made


def environment(made: Shop, phase: Phase, script: Mapping[str, Any]) -> Environment:
    """A checked environment on the scripted driver."""
    devops = made.actor("devops")
    one = places.create_environment(made.application, phase, actor=devops, driver="scripted", settings=script)
    places.check_environment(one, actor=devops)
    return Environment.objects.select_related("application__pipeline", "phase__pipeline").get(pk=one.pk)


QUICK: dict[str, Any] = {"steps": 1, "verify": False, "cleanup": False, "durable": False}


def beside(first: Shop, slug: str, phase: str = "dev") -> Shop:
    """One more application of the same pipeline and people, with one environment on a quick script."""
    one = places.create_application(first.pipeline, actor=administrator(), name=slug.title(), slug=slug)
    made = Shop(first.pipeline, one, first.people)
    made.environments[phase] = environment(made, first.phase(phase), QUICK)
    return made


def run(promotion: Promotion, *, visits: int = 20) -> Promotion:
    """Let the engine visit a promotion until nothing is left to do now."""
    for _ in range(visits):
        before = Promotion.objects.get(pk=promotion.pk).revision
        runner.tick(promotion.pk)
        promotion.refresh_from_db()
        if promotion.revision == before:
            break
    return promotion


def archive(version: str, manifest: Mapping[str, Any] | None = None, *, content: str = "") -> storage.Staged:
    """A staged archive with a manifest; `manifest` holds further tables."""
    tables: dict[str, Any] = {"run": {"command": "python3 app.py", "health": "/healthz"}, **(manifest or {})}
    text = "".join(
        f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
        for name, table in tables.items()
    )
    path = storage.staging() / f"test-{os.getpid()}-{next(_numbers)}.tar.gz"
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for name, data in {"relman.toml": text, "app.py": f"# {version} {content} {os.getpid()}\n"}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data.encode())
            tar.addfile(entry, BytesIO(data.encode()))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return storage.Staged(path, path.name, digest, path.stat().st_size)
