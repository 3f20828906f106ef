"""Who may do what: the one place that reads guardian's rows. Nothing here outlives the actor, one request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from phases.models import (
    Application,
    Environment,
    Grant,
    Phase,
    PhaseGroupPermission,
    PhaseUserPermission,
    Pipeline,
    RoleRight,
    User,
)
from relman.actors import Actor
from relman.audit.queries import Sight
from relman.errors import Forbidden, NotFound

from .table import RIGHTS

CURRENT = Q(until=None) | Q(until__gt=Now())
"""Of a grant or a permission row: counts now, by the database's clock."""
Where = Phase | Environment
NAMED = 4
"""People of whom a refusal names somebody to ask."""
OF_ALL = ("manage_access", "freeze")
"""Rights that, asked for a phase, concern every application of the pipeline."""


@dataclass(frozen=True)
class Access:
    """All rights of one actor: what they have everywhere, in each phase, and what their token leaves of it."""

    everywhere: frozenset[str] = frozenset()
    rights: dict[int, frozenset[str]] = field(default_factory=dict)
    token_rights: frozenset[str] | None = None
    token_phases: frozenset[int] | None = None
    token_applications: frozenset[int] | None = None

    def owned(self, phase: int) -> frozenset[str]:
        """What the person may do there, their token aside."""
        return self.everywhere | self.rights.get(phase, frozenset())

    def within(self, phase: int) -> frozenset[str]:
        """What this actor may do there now."""
        if self.token_phases is not None and phase not in self.token_phases:
            return frozenset()
        owned = self.owned(phase)
        return owned if self.token_rights is None else owned & self.token_rights

    def covers(self, application: int | None) -> bool:
        """Whether the token, if there is one, speaks of this application."""
        return self.token_applications is None or application is None or application in self.token_applications

    @property
    def sees_all(self) -> bool:
        """Whether no phase is hidden: an administrator, with no token that leaves less."""
        return (
            "view" in self.everywhere
            and self.token_phases is None
            and (self.token_rights is None or "view" in self.token_rights)
        )


def access(actor: Actor) -> Access:
    """The actor's rights, read once: one query for grants, and one or two more for a token that is limited."""
    found: Access | None = actor.memo.get("access")
    if found is None:
        found = actor.memo["access"] = _read(actor)
        actor.memo["role_names"] = lambda phase: role_names(actor, phase)
    return found


def forget(actor: Actor) -> None:
    """After a change of access in the same request: read again."""
    for key in ("access", "map", "role_names_found"):
        actor.memo.pop(key, None)


def _read(actor: Actor) -> Access:
    user, token = actor.user, actor.token
    if user is None:
        return Access(everywhere=frozenset(RIGHTS)) if actor.via == "system" else Access()
    if not user.is_active:
        return Access()
    everywhere: set[str] = set()
    if user.is_superuser:
        everywhere = {"view"} if token else {"view", "manage_access"}
    if token is None:
        return Access(frozenset(everywhere), _granted(user))
    return Access(
        frozenset(everywhere),
        _granted(user),
        frozenset(token.rights) if token.rights else None,
        frozenset(token.phases.values_list("pk", flat=True)) if token.limited_to_phases else None,
        frozenset(token.applications.values_list("pk", flat=True)) if token.limited_to_applications else None,
    )


def _granted(user: User) -> dict[int, frozenset[str]]:
    columns = ("content_object_id", "permission__codename")
    own = PhaseUserPermission.objects.filter(CURRENT, user=user).values_list(*columns)
    by_group = PhaseGroupPermission.objects.filter(CURRENT, group__user=user).values_list(*columns)
    rights: dict[int, set[str]] = {}
    for phase, right in own.union(by_group):
        rights.setdefault(phase, set()).add(right)
    return {phase: frozenset(found) for phase, found in rights.items()}


def _place(where: Where, application: Application | None) -> tuple[int, int | None]:
    if isinstance(where, Environment):
        return where.phase_id, where.application_id
    return where.pk, application.pk if application else None


def can(actor: Actor, right: str, where: Where, application: Application | None = None) -> bool:
    """Whether the actor has the right in that phase (for that application, when a token is limited to some)."""
    if right not in RIGHTS:
        raise ValueError(f"There is no right {right!r}.")
    phase, of = _place(where, application)
    found = access(actor)
    rights = found.within(phase)
    if right in OF_ALL and of is None and found.token_applications is not None:
        return False  # the token speaks of some
    return "view" in rights and right in rights and found.covers(of)


def require(actor: Actor, right: str, where: Where, application: Application | None = None) -> None:
    """NotFound when the actor does not even see the phase, Forbidden naming the roles when the right is missing."""
    if can(actor, right, where, application):
        return
    if not can(actor, "view", where, application):
        raise NotFound()
    phase = where.phase if isinstance(where, Environment) else where
    raise _forbidden(actor, right, phase)


def require_as_member(actor: Actor, right: str, where: Where, application: Application) -> None:
    """As `require`, for what is asked of an application: whoever sees it in any phase is refused and told which roles
    may, though they do not see this phase. NotFound only for those who do not see the application."""
    if not can(actor, right, where, application):
        require_application(actor, application)
        raise _forbidden(actor, right, where.phase if isinstance(where, Environment) else where)


def _forbidden(actor: Actor, right: str, phase: Phase) -> Forbidden:
    roles = roles_with(right, phase)
    if actor.token and right in access(actor).owned(phase.pk):
        sentence = f"This token may not {RIGHTS[right]} {phase.name}, though its owner may. Use one with that right."
    elif roles:
        sentence = f"You may not {RIGHTS[right]} {phase.name}. Who may: {', '.join(roles)}."
    else:
        sentence = f"You may not {RIGHTS[right]} {phase.name}. No role has that right yet: ask who manages access."
    able = people_who_can(right, phase) if can(actor, "view", phase) else []
    people = [one.display for one in able if not one.machine][:NAMED]
    return Forbidden(sentence, roles=roles, people=people, right=right, phase=phase.slug)


def require_application(actor: Actor, application: Application) -> None:
    """NotFound when the actor sees no phase of the application's pipeline."""
    if not visible_applications(actor).filter(pk=application.pk).exists():
        raise NotFound()


def require_administrator(actor: Actor, what: str) -> None:
    """Forbidden unless an administrator, or RelMan itself, acts. `what`: "create pipelines"."""
    if actor.user is None and actor.via == "system":
        return
    if not actor.is_superuser:
        raise Forbidden(f"You may not {what}. Who may: Administrator.", roles=["Administrator"])
    found = access(actor)
    if actor.token and any(
        limit is not None for limit in (found.token_rights, found.token_phases, found.token_applications)
    ):
        raise Forbidden(f"This token is limited, so it may not {what}.", roles=["Administrator"])


def permission_map(actor: Actor) -> dict[int, frozenset[str]]:
    """Phase id -> rights there, for each phase the actor sees."""
    found: dict[int, frozenset[str]] | None = actor.memo.get("map")
    if found is None:
        rights = access(actor)
        phases: Iterable[int] = Phase.objects.values_list("pk", flat=True) if rights.everywhere else rights.rights
        found = {phase: rights.within(phase) for phase in phases}
        found = actor.memo["map"] = {phase: here for phase, here in found.items() if "view" in here}
    return found


def phases_with(actor: Actor, right: str) -> frozenset[int]:
    """Ids of the phases where the actor has the right."""
    return frozenset(phase for phase, rights in permission_map(actor).items() if right in rights)


def visible_phases(actor: Actor) -> QuerySet[Phase]:
    """The phases that the actor sees."""
    return Phase.objects.all() if access(actor).sees_all else Phase.objects.filter(pk__in=permission_map(actor))


def visible_pipelines(actor: Actor) -> QuerySet[Pipeline]:
    """The pipelines of which the actor sees a phase."""
    if access(actor).sees_all:
        return Pipeline.objects.all()
    return Pipeline.objects.filter(pk__in=visible_phases(actor).values("pipeline_id"))


def visible_applications(actor: Actor) -> QuerySet[Application]:
    """The applications of which the actor sees a phase."""
    found = access(actor)
    applications = Application.objects.all()
    if not found.sees_all:
        applications = applications.filter(pipeline_id__in=visible_phases(actor).values("pipeline_id"))
    if found.token_applications is not None:
        applications = applications.filter(pk__in=found.token_applications)
    return applications


def visible_environments(actor: Actor) -> QuerySet[Environment]:
    """The environments in phases that the actor sees."""
    found = access(actor)
    environments = Environment.objects.all()
    if not found.sees_all:
        environments = environments.filter(phase_id__in=permission_map(actor))
    if found.token_applications is not None:
        environments = environments.filter(application_id__in=found.token_applications)
    return environments


def sight(actor: Actor) -> Sight:
    """What the actor may see of the record (see `relman.audit.queries`). Two or three queries."""
    found = access(actor)
    if found.sees_all and found.token_applications is None:
        return Sight(everything=True)
    applications = frozenset(visible_applications(actor).values_list("slug", flat=True))
    return Sight(
        phases=frozenset(permission_map(actor)),
        pipelines=frozenset(visible_phases(actor).values_list("pipeline_id", flat=True)),
        applications=applications,
        person=actor.user.pk if actor.user and actor.token is None else None,
        only=applications if found.token_applications is not None else None,
    )


def roles_with(right: str, phase: Phase) -> list[str]:
    """Names of the roles that have the right in that phase."""
    rows = RoleRight.objects.filter(phase=phase, right=right).order_by("role__name")
    return list(rows.values_list("role__name", flat=True))


def people_who_can(right: str, phase: Phase) -> QuerySet[User]:
    """Active people who have the right in that phase now, by their own grant or by a group's."""
    wanted = Q(CURRENT, content_object=phase, permission__codename=right)
    own = PhaseUserPermission.objects.filter(wanted).values("user_id")
    groups = PhaseGroupPermission.objects.filter(wanted).values("group_id")
    return User.objects.filter(Q(pk__in=own) | Q(groups__in=groups), is_active=True).distinct().order_by("username")


def role_names(actor: Actor, phase: int) -> str:
    """The actor's roles in a phase as the record names them: "Developer, QA engineer"; one query a phase."""
    user = actor.user
    if user is None:
        return ""
    known: dict[int, str] = actor.memo.setdefault("role_names_found", {})
    if phase not in known:
        grants = Grant.objects.filter(CURRENT, Q(user=user) | Q(group__user=user), phase_id=phase)
        names = sorted(set(grants.values_list("role__name", flat=True)))
        known[phase] = ", ".join(names) or ("Administrator" if user.is_superuser else "")
    return known[phase]


def first_phase(pipeline: Pipeline) -> Phase:
    """Where its releases enter. NotFound for a pipeline without phases."""
    return _one(pipeline.phases.order_by("position").first())


def last_phase(pipeline: Pipeline) -> Phase:
    """Where its releases are meant to arrive. NotFound for a pipeline without phases."""
    return _one(pipeline.phases.order_by("-position").first())


def _one(phase: Phase | None) -> Phase:
    if phase is None:
        raise NotFound("This pipeline has no phase yet: add one first.")
    return phase
