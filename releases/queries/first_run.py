"""The board before anything was published: the steps to the first release, who takes them, and what is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from phases.models import Phase
from phases.permissions import people_who_can, unmeetable_rules
from releases.queries.courses import Course, Reader
from releases.queries.shared import Action, Named, Person, listed


@dataclass(frozen=True)
class Setup:
    """One step on the way to the first release."""

    title: str
    text: str
    done: bool = False
    actions: list[Action] = field(default_factory=list)
    command: str = ""


@dataclass(frozen=True)
class FirstRun:
    """What the empty board says. `lonely`: rules that nobody can meet yet, for whoever may change that."""

    may_publish: bool
    publishers: list[Person]
    phases: list[Named]
    application: Named | None
    steps: list[Setup]
    lonely: list[str]
    roles: str

    @property
    def done(self) -> int:
        """How many of the steps are done."""
        return sum(step.done for step in self.steps)

    @property
    def todo(self) -> Setup | None:
        """The first step that the reader can take now."""
        return next((step for step in self.steps if step.actions and not step.done), None)


def first_run(view: Reader, courses: Sequence[Course]) -> FirstRun | None:
    """For the first pipeline that the reader sees; None for whoever sees none and may make none."""
    shown = [phase for phase in view.phases.values() if view.may("view", phase.pk) or view.actor.is_superuser]
    if not shown and not view.actor.is_superuser:
        return None
    course = courses[0] if courses else None
    home = course.application.pipeline_id if course else shown[0].pipeline_id if shown else 0
    phases = sorted((one for one in shown if one.pipeline_id == home), key=lambda one: one.position)
    start = min((one for one in view.phases.values() if one.pipeline_id == home), key=_position, default=None)
    able = [one for one in people_who_can("publish", start) if not one.machine] if start else []
    may = bool(start and view.may("publish", start.pk))
    roles = _roles(view, start)
    return FirstRun(
        may_publish=may,
        publishers=[Person(one.display, one.pk == view.me) for one in able],
        phases=[Named.of(phase) for phase in phases],
        application=Named.of(course.application) if course else None,
        steps=_steps(view, course, start, roles, [one.display for one in able]),
        lonely=[one.sentence for phase in phases for one in unmeetable_rules(phase)] if roles else [],
        roles=roles,
    )


def _position(phase: Phase) -> int:
    return phase.position


def _roles(view: Reader, start: Phase | None) -> str:
    """Where roles are given, for whoever may give them."""
    if start is None or not (view.actor.is_superuser or view.may("manage_access", start.pk)):
        return ""
    return f"/admin/phases/pipeline/{start.pipeline_id}/roles/"


def _steps(view: Reader, course: Course | None, start: Phase | None, roles: str, able: list[str]) -> list[Setup]:
    name = start.name if start else "the first phase"
    return [
        _pipeline(view, start),
        _application(view, course, start),
        _people(start, roles, able),
        _environment(view, course, start),
        _release(view, course, start, able),
        Setup(f"Promote it into {name}", "A button appears here and on the board. You see each step and its log."),
        Setup("Move it on", "The same build goes through every phase. Each phase says what it waits for."),
    ]


def _pipeline(view: Reader, start: Phase | None) -> Setup:
    if start:
        return Setup(f"Pipeline {start.pipeline.name}", "", done=True)
    text = "The ordered phases that releases go through, with default roles and rules."
    return Setup("Create a pipeline", text, actions=[Action("create", "New pipeline", "/pipelines/new/")])


def _application(view: Reader, course: Course | None, start: Phase | None) -> Setup:
    if course:
        return Setup(f"Application {course.application.name}", "", done=True)
    text = "What is released. It belongs to a pipeline."
    if not view.actor.is_superuser:
        return Setup("Create an application", f"{text} An administrator creates it.")
    url = f"/apps/new/?pipeline={start.pipeline.slug}" if start else ""
    return Setup("Create an application", text, actions=[Action("create", "New application", url)] if url else [])


def _people(start: Phase | None, roles: str, able: list[str]) -> Setup:
    if able:
        return Setup("Give people their roles", f"{listed(able)} can publish.", done=True)
    text = "Who publishes, promotes and approves, phase by phase. Nobody can publish yet."
    if start and not roles:
        text = f"{text} Whoever manages access in {start.name}, or an administrator, gives roles."
    found = [Action("roles", f"Roles of {start.pipeline.name}", roles)] if start and roles else []
    return Setup("Give people their roles", text, actions=found)


def _environment(view: Reader, course: Course | None, start: Phase | None) -> Setup:
    where = start.name if start else "the first phase"
    if course and start and start.pk in course.used:
        return Setup(f"Environment in {where}", "", done=True)
    text = "The place where the application runs there: its target, size and configuration."
    if not course or not start:
        return Setup(f"Set up {where}", text)
    if view.may("configure", start.pk, course.application.pk):
        url = f"/apps/{course.application.slug}/{start.slug}/new/"
        return Setup(f"Set up {where}", text, actions=[Action("configure", f"Set up {where}", url)])
    able = [one.display for one in people_who_can("configure", start) if not one.machine]
    who = f"{listed(able)} can do it." if able else "Nobody has the right to configure it yet."
    return Setup(f"Set up {where}", f"{text} {who}")


def _release(view: Reader, course: Course | None, start: Phase | None, able: list[str]) -> Setup:
    if not course or not start:
        return Setup("Publish a release", "From the folder of your application, or as a file.")
    title, slug = f"Publish a release of {course.application.name}", course.application.slug
    if not view.may("publish", start.pk, course.application.pk):
        return Setup(title, f"{listed(able)} can publish." if able else "Nobody has the right to publish yet.")
    upload = [Action("publish", "Or upload a file", f"/apps/{slug}/releases/new/")]
    text = "From the folder of your application. This page notices the first one by itself."
    return Setup(title, text, actions=upload, command=f"relman publish {slug} ./dist.tar.gz")
