"""Fill an empty installation with three applications, by the product's own verbs, and hand out one account a role.

Demo mode only. A second run keeps what is there, and goes on where a first one was interrupted. What was restored from
a backup is not filled again: its accounts get a password and a token that are known.
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
from releases import actions, statuses, storage
from releases.models import Promotion, Release
from releases.uploads import stage
from relman.actors import Actor
from relman.management import seeds
from relman.management.seeds import ROLES, Story
from samples.build import build

ACCOUNTS, BEGUN, TOKEN = "demo-accounts.json", "demo-begun.json", "Demo"
PATIENCE = 120.0
"""Seconds that one promotion of the demo may take."""


class Command(BaseCommand):
    help = "Seed the demo (RELMAN_DEMO=1): three applications on their way, and one account for each role."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--accounts-only", action="store_true", help="Only write the accounts' file again.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("This fills an installation with sample data. It runs with RELMAN_DEMO=1 only.")
        kept, begun = (Path(settings.HOME) / "keys" / name for name in (ACCOUNTS, BEGUN))
        if not kept.exists():
            if begun.exists() or not Pipeline.objects.exists():
                self.seed(begun)
                begun.replace(kept)
            else:
                write(kept, known_again())
        write(Path(settings.HOME) / ACCOUNTS, json.loads(kept.read_text()))

    def seed(self, begun: Path) -> None:
        """People first, and written down who they are, then places, then releases on their way."""
        if not begun.exists():
            write(begun, people())
        actors = {user.username: Actor(user, "system") for user in User.objects.filter(username__in=[*ROLES, "admin"])}
        pipeline = place(actors["admin"])
        for story in seeds.STORIES:
            self.stdout.write(f"Seeding {story.name} …")
            tell(story, pipeline, actors)


def known_again() -> list[dict[str, str]]:
    """A new password and one more token for each account that a demo made: of a backup only hashes are there. Tokens of
    before go on. Nobody else's account is touched."""
    password = secrets.token_urlsafe(9)
    accounts = []
    for user in User.objects.filter(username__in=[*ROLES, "admin"], tokens__name=TOKEN).distinct().order_by("pk"):
        user.set_password(password)
        user.save(update_fields=["password"])
        accounts.append(account(user, password))
    return accounts


def account(user: User, password: str) -> dict[str, str]:
    """What is told about an account, with a new token."""
    _, token = places.issue_token(user, actor=Actor(user, "system"), name=TOKEN)
    return {"username": user.username, "password": password, "token": token}


def people() -> list[dict[str, str]]:
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
    return [account(user, password) for user in [*users, first]]


def place(administrator: Actor) -> Pipeline:
    """The four-phase pipeline, each role granted in all of its phases, and the playground."""
    pipeline = Pipeline.objects.filter(slug="shop").first() or places.create_pipeline(
        "dev-qa-stage-live", actor=administrator, name="Shop", slug="shop", description="Everything customers see."
    )
    for username in ROLES:
        role, user = Role.objects.get(slug=username), User.objects.get(username=username)
        for phase in pipeline.phases.exclude(pk__in=user.grants.filter(role=role).values("phase")):
            places.grant(role, phase, actor=administrator, user=user)
    devops = Actor(User.objects.get(username="devops"), "system")
    application(seeds.PLAYGROUND, pipeline, administrator, devops)
    return pipeline


def application(story: Story, pipeline: Pipeline, administrator: Actor, devops: Actor) -> Application:
    """An application with an environment in each phase, configured and checked."""
    made = Application.objects.filter(slug=story.slug).first() or places.create_application(
        pipeline, actor=administrator, name=story.name, slug=story.slug, description=story.description
    )
    for phase in pipeline.phases.all():
        environment = made.environments.filter(phase=phase).first() or places.create_environment(
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
            expected = chapter.ends.get(phase, "succeeded")
            if not Promotion.objects.filter(release=release, environment=environment, status=expected).exists():
                wait(promote(release, environment, actors), expected=expected)
        if chapter.waits_in:
            environment = made.environments.get(phase__slug=chapter.waits_in)
            promotion = ask(release, environment, actors)
            approve(promotion, actors["qa-engineer"], chapter.approval)


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
    """Whoever promotes into that phase by role asks for it, unless it was asked for before an interruption."""
    open_one = Promotion.objects.filter(release=release, environment=environment, status__in=statuses.OPEN).first()
    if open_one is not None:
        return open_one
    who = {"dev": "developer", "qa": "qa-engineer", "stage": "qa-engineer"}.get(
        environment.phase.slug, "release-manager"
    )
    return actions.request_promotion(release, environment, actor=actors[who])


def promote(release: Release, environment: Environment, actors: dict[str, Actor]) -> Promotion:
    """Ask, and let both rules be met where there are rules."""
    promotion = ask(release, environment, actors)
    for person in ("qa-engineer", "business-owner") if promotion.rules else ():
        approve(promotion, actors[person], "Seen in Stage.")
    promotion.refresh_from_db()
    return promotion


def approve(promotion: Promotion, actor: Actor, comment: str) -> None:
    """Once; not what was approved before an interruption."""
    if not promotion.approvals.filter(person=actor.user).exists():
        actions.approve(promotion, actor=actor, comment=comment)


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
