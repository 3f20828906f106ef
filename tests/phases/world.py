"""A small world built through the real verbs: one pipeline, one person for each role, an outsider."""

from __future__ import annotations

from dataclasses import dataclass, field

from phases import actions
from phases.models import Application, Environment, Grant, Phase, Pipeline, Role, User
from relman.actors import Actor, Via

ROLES = ("developer", "qa-engineer", "stakeholder", "business-owner", "devops", "release-manager", "ci-robot")


@dataclass
class World:
    """The pipeline Shop with Dev, QA, Stage and Live; each role is held by one person, in all phases."""

    admin: User
    pipeline: Pipeline
    application: Application
    people: dict[str, User] = field(default_factory=dict)

    def actor(self, name: str, via: Via = "page") -> Actor:
        """A fresh actor, as each request has one: a role's slug, "admin" or "outsider"."""
        user = self.admin if name == "admin" else self.people[name]
        return Actor(User.objects.get(pk=user.pk), via)

    def phase(self, slug: str) -> Phase:
        return Phase.objects.get(pipeline=self.pipeline, slug=slug)

    def role(self, slug: str) -> Role:
        return Role.objects.get(slug=slug)

    def grant_of(self, role: str, phase: str) -> Grant:
        return Grant.objects.get(role__slug=role, phase__slug=phase, user=self.people[role])

    def environment(self, phase: str) -> Environment:
        return actions.create_environment(
            self.application, self.phase(phase), actor=self.actor("devops"), driver="scripted"
        )


def build(template: str = "dev-qa-stage-live") -> World:
    """The world, through the verbs that an administrator uses."""
    admin = User.objects.create(username="admin", is_superuser=True, is_staff=True)
    actor = Actor(admin, "admin")
    pipeline = actions.create_pipeline(template, actor=actor, name="Shop", slug="shop")
    application = actions.create_application(pipeline, actor=actor, name="Till", slug="till")
    world = World(admin, pipeline, application)
    world.people["outsider"] = actions.create_user(actor=actor, username="outsider")
    for slug in ROLES:
        person = world.people[slug] = actions.create_user(actor=actor, username=slug, name=slug.title())
        for phase in pipeline.phases.all():
            actions.grant(world.role(slug), phase, actor=actor, user=person)
    return world
