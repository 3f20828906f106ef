"""Fill an empty installation with three applications, by the product's own verbs, and hand out one account a role.

Demo mode only. A second run keeps what is there.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from phases import actions as places
from phases.models import Application, Environment, Pipeline, Role, User
from releases import actions, storage
from releases.models import Promotion, Release
from releases.uploads import stage
from relman.actors import Actor
from relman.management import seeds
from relman.management.seeds import ROLES, Story
from samples.build import build

ACCOUNTS = "demo-accounts.json"
PATIENCE = 120.0
"""Seconds that one promotion of the demo may take."""


class Command(BaseCommand):
    help = "Seed the demo (RELMAN_DEMO=1): three applications on their way, and one account for each role."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--accounts-only", action="store_true", help="Only write the accounts' file again.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("This fills an installation with sample data. It runs with RELMAN_DEMO=1 only.")
        kept = Path(settings.HOME) / "keys" / ACCOUNTS
        if not kept.exists():
            accounts = self.seed()
            write(kept, accounts)
        write(Path(settings.HOME) / ACCOUNTS, json.loads(kept.read_text()))

    def seed(self) -> list[dict[str, str]]:
        """People first, then places, then releases on their way."""
        administrator, accounts = people()
        people_by_role = {user.username: Actor(user, "system") for user in User.objects.all()}
        pipeline = place(administrator)
        for story in seeds.STORIES:
            self.stdout.write(f"Seeding {story.name} …")
            tell(story, pipeline, people_by_role)
        return accounts


def people() -> tuple[Actor, list[dict[str, str]]]:
    """One account a role and an administrator, each with a token of all its rights."""
    User.objects.filter(username__in=[*ROLES, "admin"]).delete()
    password = secrets.token_urlsafe(9)
    first = User.objects.create_superuser("admin", password=password, name="Administrator")
    administrator = Actor(first, "system")
    users = [
        places.create_user(
            actor=administrator, username=username, password=password, name=name, machine=username == "ci-robot"
        )
        for username, name in ROLES.items()
    ]
    accounts = []
    for user in [*users, first]:
        _, token = places.issue_token(user, actor=Actor(user, "system"), name="Demo")
        accounts.append({"username": user.username, "password": password, "token": token})
    return administrator, accounts


def place(administrator: Actor) -> Pipeline:
    """The four-phase pipeline, each role granted in all of its phases, and the playground."""
    pipeline = places.create_pipeline(
        "dev-qa-stage-live", actor=administrator, name="Shop", slug="shop", description="Everything customers see."
    )
    for username in ROLES:
        role, user = Role.objects.get(slug=username), User.objects.get(username=username)
        for phase in pipeline.phases.all():
            places.grant(role, phase, actor=administrator, user=user)
    devops = Actor(User.objects.get(username="devops"), "system")
    application(seeds.PLAYGROUND, pipeline, administrator, devops)
    return pipeline


def application(story: Story, pipeline: Pipeline, administrator: Actor, devops: Actor) -> Application:
    """An application with an environment in each phase, configured and checked."""
    made = places.create_application(
        pipeline, actor=administrator, name=story.name, slug=story.slug, description=story.description
    )
    for phase in pipeline.phases.all():
        environment = places.create_environment(
            made, phase, actor=devops, instances=story.instances.get(phase.slug, 1), settings=dict(story.settings)
        )
        values = {**story.configuration.get("*", {}), **story.configuration.get(phase.slug, {})}
        if values:
            places.set_configuration(environment, values, actor=devops)
        places.check_environment(environment, actor=devops)
    return made


def tell(story: Story, pipeline: Pipeline, actors: dict[str, Actor]) -> None:
    """Publish the story's releases and take each as far as it goes."""
    made = application(story, pipeline, actors["admin"], actors["devops"])
    for chapter in story.chapters:
        release = publish(story, chapter, made, actors["ci-robot"])
        for phase in chapter.through:
            environment = made.environments.get(phase__slug=phase)
            promotion = promote(release, environment, actors)
            wait(promotion, expected=chapter.ends.get(phase, "succeeded"))
        if chapter.waits_in:
            environment = made.environments.get(phase__slug=chapter.waits_in)
            promotion = ask(release, environment, actors)
            actions.approve(promotion, actor=actors["qa-engineer"], comment=chapter.approval)


def publish(story: Story, chapter: seeds.Chapter, made: Application, robot: Actor) -> Release:
    """Build the sample's archive and publish it, as CI would."""
    archive = build(
        story.sample, chapter.version, storage.staging() / f"{story.slug}-{chapter.version}.tar.gz", **chapter.build
    )
    try:
        with archive.open("rb") as file:
            staged = stage(file, name=archive.name)
    finally:
        archive.unlink()
    release, _ = actions.publish_release(
        made,
        actor=robot,
        version=chapter.version,
        staged=staged,
        notes=chapter.notes,
        commit=chapter.commit,
        author="developer",
        changes=[vars(change) for change in chapter.changes],
    )
    return release


def ask(release: Release, environment: Environment, actors: dict[str, Actor]) -> Promotion:
    """Whoever promotes into that phase by role asks for it."""
    who = {"dev": "developer", "qa": "qa-engineer", "stage": "qa-engineer"}.get(
        environment.phase.slug, "release-manager"
    )
    return actions.request_promotion(release, environment, actor=actors[who])


def promote(release: Release, environment: Environment, actors: dict[str, Actor]) -> Promotion:
    """Ask, and let both rules be met where there are rules."""
    promotion = ask(release, environment, actors)
    for person in ("qa-engineer", "business-owner") if promotion.rules else ():
        promotion = actions.approve(promotion, actor=actors[person], comment="Seen in Stage.")
    return promotion


def wait(promotion: Promotion, *, expected: str) -> None:
    """Until a worker has carried it out, as the story says."""
    end = time.monotonic() + PATIENCE
    while promotion.is_open:
        if time.monotonic() > end:
            raise CommandError(
                f"{promotion} is still {promotion.status} after {PATIENCE:.0f} s. Is the worker running?"
            )
        time.sleep(0.1)
        promotion.refresh_from_db(fields=["status", "reason"])
    if promotion.status != expected:
        raise CommandError(f"{promotion} {promotion.status}, but should have {expected}: {promotion.reason}")


def write(path: Path, accounts: list[dict[str, str]]) -> None:
    """Readable by its owner only, and there all at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(accounts, file, indent=1)
    beside.replace(path)
