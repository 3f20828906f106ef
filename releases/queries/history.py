"""The record in sentences: lines of the audit trail, and timelines of a release, a promotion, an environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models import QuerySet

from phases import permissions
from phases.models import Phase
from releases.queries.shared import Entry
from relman.actors import Actor
from relman.audit import queries as audit
from relman.audit.models import Event

LOOKS: Mapping[str, tuple[str, str, str]] = {
    # verb: (tone, icon, sentence about {subject}); {who} acts
    "release.published": ("", "package", "{who} published **{version}**"),
    "release.yanked": ("warn", "ban", "{who} yanked **{version}**"),
    "release.quarantined": ("bad", "ban", "{who} quarantined **{version}**"),
    "promotion.requested": ("", "send", "{who} asked to bring **{version}** to **{phase}**"),
    "promotion.retried": ("", "rotate-cw", "{who} asked again to bring **{version}** to **{phase}**"),
    "promotion.rolled_back": ("warn", "undo-2", "{who} asked to roll **{phase}** back to **{version}**"),
    "promotion.one_way_accepted": ("warn", "undo-2", "{who} accepts that **{version}** in **{phase}** has no way back"),
    "promotion.expedited": ("warn", "zap", "{who} put **{version}** to **{phase}** in front of the queue"),
    "promotion.queued": ("", "list-end", "**{version}** is queued for **{phase}**"),
    "promotion.waiting": ("warn", "hourglass", "**{version}** waits again for **{phase}**"),
    "promotion.started": ("run", "loader-circle", "**{version}** started on its way to **{phase}**"),
    "promotion.verifying": ("run", "loader-circle", "**{version}** is being verified in **{phase}**"),
    "promotion.succeeded": ("ok", "circle-check", "**{version}** serves **{phase}**"),
    "promotion.failed": ("bad", "circle-x", "**{version}** failed in **{phase}**"),
    "promotion.errored": ("warn", "triangle-alert", "The outcome of **{version}** in **{phase}** is unknown"),
    "promotion.approved": ("ok", "circle-check", "{who} approved **{version}** for **{phase}**"),
    "promotion.approval_withdrawn": ("warn", "undo-2", "{who} withdrew the approval of **{version}** for **{phase}**"),
    "promotion.rejected": ("bad", "ban", "{who} rejected **{version}** for **{phase}**"),
    "promotion.cancelled": ("", "circle-x", "{who} cancelled **{version}** to **{phase}**"),
    "promotion.abort_requested": ("warn", "circle-stop", "{who} asked to abort **{version}** to **{phase}**"),
    "promotion.aborted": ("bad", "circle-stop", "**{version}** to **{phase}** was aborted"),
    "promotion.expired": ("warn", "timer", "**{version}** to **{phase}** expired"),
    "promotion.superseded": ("", "list-end", "A newer release took the place of **{version}** to **{phase}**"),
    "promotion.resolved": ("warn", "check", "{who} decided what happened to **{version}** in **{phase}**"),
    "promotion.answered": ("warn", "undo-2", "**RelMan** decided about a rollback of **{version}** in **{phase}**"),
    "release.held": ("warn", "undo-2", "Nothing brings **{version}** to **{phase}** by itself any more"),
    "release.hold_lifted": ("", "undo-2", "{who} lifted the hold on **{version}** in **{phase}**"),
    "rehearsal.requested": ("run", "undo-2", "{who} began to rehearse a rollback of **{subject}**"),
    "rehearsal.passed": ("ok", "undo-2", "The rehearsal of a rollback of **{subject}** passed"),
    "rehearsal.failed": ("bad", "undo-2", "The rehearsal of a rollback of **{subject}** failed"),
    "rehearsal.stopped": ("warn", "undo-2", "The rehearsal of a rollback of **{subject}** was stopped"),
    "configuration.changed": ("", "settings-2", "{who} changed the configuration of **{subject}**"),
    "environment.created": ("", "server", "{who} set up **{subject}**"),
    "environment.edited": ("", "server", "{who} changed **{subject}**"),
    "environment.removed": ("warn", "server", "{who} removed **{subject}**"),
    "environment.checked": ("", "shield-check", "{who} checked **{subject}**"),
    "environment.drifted": ("warn", "triangle-alert", "**{subject}** is not what the record says"),
    "environment.drift_ended": ("ok", "circle-check", "**{subject}** is what the record says again"),
    "environment.reverted": ("warn", "undo-2", "{who} had **{subject}** brought back to the record"),
    "environment.adopted": ("warn", "check", "{who} adopted what runs: **{subject}**"),
    "environment.opened": ("", "external-link", "{who} opened **{subject}**"),
    "component.added": ("", "server", "{who} listed the component **{subject}**"),
    "component.removed": ("", "server", "{who} took the component **{subject}** off the list"),
    "lock.set": ("warn", "lock", "{who} locked **{subject}**"),
    "lock.released": ("", "lock-open", "{who} unlocked **{subject}**"),
    "maintenance.began": ("warn", "wrench", "{who} began a maintenance: nothing starts"),
    "maintenance.ended": ("", "wrench", "{who} ended the maintenance"),
    "grant.created": ("", "key-round", "{who} gave a role: **{subject}**"),
    "grant.changed": ("", "key-round", "{who} changed a role: **{subject}**"),
    "grant.revoked": ("warn", "key-round", "{who} took a role away: **{subject}**"),
    "role.created": ("", "key-round", "{who} made the role **{subject}**"),
    "role.edited": ("", "key-round", "{who} changed the role **{subject}**"),
    "role.removed": ("warn", "key-round", "{who} removed the role **{subject}**"),
    "role.rights_changed": ("", "key-round", "{who} changed what **{subject}** may do"),
    "rule.created": ("", "users", "{who} made the approval rule **{subject}**"),
    "rule.set": ("", "users", "{who} set the approval rule **{subject}**"),
    "rule.changed": ("", "users", "{who} changed the approval rule **{subject}**"),
    "rule.removed": ("warn", "users", "{who} removed the approval rule **{subject}**"),
    "access.changed": ("", "key-round", "{who} changed roles and access of **{subject}**"),
    "user.created": ("", "users", "{who} made the account of **{subject}**"),
    "user.edited": ("", "users", "{who} changed the account of **{subject}**"),
    "user.password_set": ("warn", "key-round", "{who} set the password of **{subject}**"),
    "group.created": ("", "users", "{who} made the group **{subject}**"),
    "group.members_changed": ("", "users", "{who} changed who is in **{subject}**"),
    "group.removed": ("warn", "users", "{who} removed the group **{subject}**"),
    "token.issued": ("", "key-round", "{who} made the token **{subject}**"),
    "token.revoked": ("warn", "key-round", "{who} revoked the token **{subject}**"),
    "application.created": ("", "box", "{who} made the application **{subject}**"),
    "application.edited": ("", "box", "{who} changed the application **{subject}**"),
    "pipeline.created": ("", "list-tree", "{who} made the pipeline **{subject}**"),
    "pipeline.edited": ("", "list-tree", "{who} changed the pipeline **{subject}**"),
    "phase.created": ("", "list-tree", "{who} added the phase **{subject}**"),
    "phase.edited": ("", "list-tree", "{who} changed the phase **{subject}**"),
    "phase.moved": ("", "list-tree", "{who} moved the phase **{subject}**"),
    "phase.removed": ("warn", "list-tree", "{who} removed the phase **{subject}**"),
    "release.artifact_removed": ("", "package", "The artifact of **{version}** was removed"),
    "release.artifact_restored": ("", "package", "The artifact of **{version}** is back"),
    "retention.applied": ("", "package", "{who} applied the retention rules"),
}
TOWARDS = ("promotion.requested", "promotion.rolled_back")
"""Verbs that are asked about a release, on its way to a phase."""


def phase_names(events: Iterable[Event]) -> dict[int, str]:
    """Phase id -> its name today; a phase that is gone is called by the word in the record. One query."""
    wanted = {one.phase_id for one in events if one.phase_id}
    return dict(Phase.objects.filter(pk__in=wanted).values_list("pk", "name")) if wanted else {}


def sentence(event: Event, phases: Mapping[int, str] | None = None) -> str:
    """What happened, as one sentence; the strong parts are marked."""
    _, _, shape = LOOKS.get(event.verb, ("", "", ""))
    who = f"**{event.actor_name}**"
    phase = (phases or {}).get(event.phase_id or 0, event.phase)
    if event.outcome == "refused":
        # Its reason may speak of another phase: which one was asked for is said here.
        there = f" to **{phase}**" if event.verb in TOWARDS and phase not in event.subject else ""
        return f"{who} was refused: {_words(event.verb)} **{event.subject}**{there}".replace(" ****", "")
    if not shape or ("{phase}" in shape and not event.phase) or ("{version}" in shape and not event.version):
        return f"{who}: {_words(event.verb)} **{event.subject}**".replace(" ****", "")
    return shape.format(who=who, version=event.version, phase=phase, subject=event.subject)


def _words(verb: str) -> str:
    """promotion.approval_withdrawn -> promotion, approval withdrawn"""
    return verb.replace(".", " ").replace("_", " ")


def look(event: Event) -> tuple[str, str]:
    """Tone and icon."""
    tone, icon, _ = LOOKS.get(event.verb, ("", "pen-line", ""))
    return ("bad", "ban") if event.outcome == "refused" else (tone, icon)


def url_of(event: Event) -> str | None:
    """Where what the event speaks of is shown."""
    if event.promotion_id:
        return f"/promotions/{event.promotion_id}/"
    if event.application and event.version:
        return f"/apps/{event.application}/releases/{event.version}/"
    if event.application and event.phase:
        return f"/apps/{event.application}/{event.phase}/"
    return f"/apps/{event.application}/" if event.application else None


def entries(events: Iterable[Event]) -> list[Entry]:
    """Events as lines of a timeline."""
    shown = list(events)
    phases = phase_names(shown)
    return [Entry(one.at, sentence(one, phases), *look(one), one.detail, url_of(one)) for one in shown]


def visible(actor: Actor) -> QuerySet[Event]:
    """All events that the actor may see, newest first."""
    return audit.visible(permissions.sight(actor)).order_by("-id")


def of_promotion(actor: Actor, promotion: int, limit: int = 50) -> list[Entry]:
    """A promotion's timeline, newest first."""
    return entries(visible(actor).filter(promotion_id=promotion)[:limit])


def of_release(actor: Actor, application: str, version: str, limit: int = 50) -> list[Entry]:
    """A release's timeline, newest first; steps of the engine are left to its promotions."""
    quiet = ("promotion.queued", "promotion.started", "promotion.verifying", "promotion.waiting")
    chosen = visible(actor).filter(application=application, version=version).exclude(verb__in=quiet)
    return entries(chosen[:limit])
