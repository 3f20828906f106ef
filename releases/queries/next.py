"""What happens next: the one function that says it, for a place and for an application.

Board, application page, release page, environment page and API use the same sentence. It asks the same gates
as the verbs do (`gates.evaluate`), with the facts that `courses.load` has read for all places at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from phases.models import Phase
from releases import approvals, gates, statuses
from releases.queries.courses import Course, Reader, candidate, trouble
from releases.queries.facts import barred_people, problems_of, rule_of
from releases.queries.places import Build, Move, Place
from releases.queries.shared import Action, Next, Person, clock, listed, people, promote_to
from relman import words

STATES = ("motion", "blocked", "person", "scheduled", "ready", "current")
"""Keys of the board's filter, in the order in which the first that fits counts."""
STATE_OF: Mapping[str, str] = {
    "running": "motion",
    "failed": "blocked",
    "rejected": "blocked",
    "window": "blocked",
    "frozen": "blocked",
    "locked": "blocked",
    "dependency": "blocked",
    "order": "blocked",
    "configuration": "blocked",
    "approval": "person",
    "errored": "person",
    "health": "person",
    "drift": "person",
    "scheduled": "scheduled",
    "queued": "scheduled",
    "soak": "scheduled",
    "ready": "ready",
    "nothing": "current",
    "none": "current",
}
KIND_OF_GATE = {"configuration": "configuration", "order": "order", "lock": "locked", "environment": "configuration"}


def state_of(kind: str) -> str:
    """The board's filter key of a kind of next."""
    return STATE_OF[kind]


def of_application(view: Reader, course: Course) -> Next:
    """The one sentence about an application: the most pressing of its places, the furthest of equals."""
    found = [(rank(one.kind), -phase.position, one) for phase in course.shown for one in nexts(view, course, phase)]
    if found:
        return min(found, key=lambda item: item[:2])[2]
    return _quiet(view, course)


def of_place(view: Reader, course: Course, phase: Phase) -> Next:
    """The one sentence about one environment."""
    found = sorted(nexts(view, course, phase), key=lambda one: rank(one.kind))
    if found:
        return found[0]
    place = course.places[phase.pk]
    if place.live is None:
        return Next("none", f"Nothing has come to **{phase.name}** yet")
    return Next("nothing", f"Nothing newer waits for **{phase.name}**")


def rank(kind: str) -> int:
    """How pressing: the place of its state in the board's order."""
    return STATES.index(STATE_OF[kind])


def nexts(view: Reader, course: Course, phase: Phase) -> list[Next]:
    """All that is about to happen, or keeps from happening, in one place."""
    place = course.places[phase.pk]
    found = [_pending(view, course, phase, move) for move in sorted(place.open, key=_turn)]
    ended = trouble(course, phase)
    if ended and (ended.status == "errored" or not place.open):
        found.append(_ended(view, course, phase, ended))
    if place.drift and place.live:
        found.append(_drifted(view, course, phase, place))
    elif place.health == "unhealthy" and place.live:
        found.append(_sick(view, course, phase, place))
    if not place.open and not ended:
        found += _coming(view, course, phase)
    return found


def _quiet(view: Reader, course: Course) -> Next:
    """Nothing is pending and nothing can move."""
    live = {place.live.build.id for place in course.places.values() if place.live}
    if not live and course.newest is None:
        first = course.phases[0] if course.phases else None
        may = first is not None and view.may("publish", first.pk, course.application.pk)
        url = f"/apps/{course.application.slug}/releases/new/"
        return Next("none", "No release yet", action=Action("publish", "New release", url) if may else None)
    if not course.places:
        return Next("none", "No environment yet")
    if len(live) == 1 and all(place.live for place in course.places.values()):
        return Next("nothing", "Same version everywhere")
    return Next("nothing", "Nothing newer waits" if live else "Nothing is deployed yet")


# --- what is open


def _pending(view: Reader, course: Course, phase: Phase, move: Move) -> Next:
    if move.status in statuses.ACTIVE:
        return _running(view, move)
    if move.status == "queued":
        return _queued(view, course.places[phase.pk], phase, move)
    return _waiting(view, course, phase, move)


def steps_of(move: Move) -> tuple[int, int]:
    """The step a running promotion is at, counted from 1, and how many there are; clean-up does not count."""
    plan = [step for step in move.steps if step.when in ("run", "verify")]
    done = sum(step.status in ("succeeded", "skipped") for step in plan)
    return min(done + 1, len(plan)), len(plan)


def remaining(view: Reader, move: Move) -> float | None:
    """Seconds that a running promotion should still take; None: no estimate, or longer than usual."""
    if move.usual is None or move.started_at is None:
        return None
    left = move.usual - (view.now - move.started_at).total_seconds()
    return left if left > 0 else None


def _running(view: Reader, move: Move) -> Next:
    at, total = steps_of(move)
    left = remaining(view, move)
    tail = f", {words.duration(left)} left" if left is not None else ""
    text = f"Step **{at} of {total}**{tail}" if total else f"**{move.build.version}** is on its way"
    return Next("running", text, since=move.started_at, action=Action("watch", "Watch", _promotion(move)))


def _queued(view: Reader, place: Place, phase: Phase, move: Move) -> Next:
    front = next((one for one in place.open if one.id != move.id and one.status in statuses.ACTIVE), None)
    if place.holds and front is None:  # it was queued before; its start asks, and it waits
        return _locked(view, place, phase, _look(move), move)
    front = front or next((one for one in place.open if one.status == "queued" and _turn(one) < _turn(move)), None)
    text = f"Queued behind **{front.build.version}**" if front else f"**{move.build.version}** starts in a moment"
    if view.maintenance:
        text = f"**{move.build.version}** starts when the maintenance ends"
    elif move.emergency_at:
        text = f"Emergency: {text}" if front else f"Emergency: **{move.build.version}** starts next"
    return Next("queued", text, since=move.queued_at, action=Action("watch", "Watch", _promotion(move)))


def _turn(move: Move) -> tuple[bool, float, int]:
    """Sorts as promotions of one environment start: the emergency lane first, then the oldest; `turns` has the same."""
    lane = move.emergency_at
    return lane is None, lane.timestamp() if lane else 0.0, move.id


def _waiting(view: Reader, course: Course, phase: Phase, move: Move) -> Next:
    verdicts = gates.evaluate(facts(view, course, phase, move.build, move))
    open_ones = [verdict for verdict in verdicts if verdict.state in ("failed", "waiting")]
    found = [_of_verdict(view, course, phase, move, verdict) for verdict in open_ones]
    if not found:  # a gate that looks at what the board does not read has said why, at its start
        text = move.reason.rstrip(".") or f"**{move.build.version}** starts in a moment"
        return Next("dependency" if move.reason else "queued", text, since=move.requested_at)
    return min(found, key=lambda one: rank(one.kind))


def _of_verdict(view: Reader, course: Course, phase: Phase, move: Move, verdict: gates.Verdict) -> Next:
    look = _look(move)
    if verdict.gate.startswith("approval") and verdict.state == "waiting":
        return _approval(view, phase, move)
    if verdict.gate == "schedule" and move.not_before and verdict.state == "waiting":
        text = f"Scheduled for **{clock(move.not_before, view.now)}**"
        return Next("scheduled", text, until=move.not_before, action=look)
    if verdict.gate == "environment" and verdict.state == "waiting":
        return Next("errored", said(verdict), action=look)
    if verdict.gate == "lock":
        return _locked(view, course.places[phase.pk], phase, look, move)
    return Next(KIND_OF_GATE.get(verdict.gate, "dependency"), said(verdict), since=move.requested_at, action=look)


def said(verdict: gates.Verdict) -> str:
    """A gate's reason as the board says it: no full stop after a single sentence."""
    return verdict.reason.rstrip(".")


def _locked(view: Reader, place: Place, phase: Phase, action: Action, move: Move | None = None) -> Next:
    """The lock beside an application's name: where, by whom, until when, why."""
    hold = place.holds[0]
    where = f"All of **{phase.name}**" if hold.phase else f"**{phase.name}**"
    end = f" until **{clock(hold.until, view.now)}**" if hold.until else ""
    text = f"{where} is locked by **{hold.by}**{end}: {hold.reason.rstrip('.')}"
    return Next("locked", text, since=move.requested_at if move else None, until=hold.until, action=action)


# --- approvals


def standing(view: Reader, phase: int, move: Move) -> list[approvals.Standing]:
    """How far each rule of a waiting promotion is, by the one assignment that the verbs use."""
    barred = barred_people(move.requested_by, move.authors)
    return approvals.assign(rules(move), signatures(move), view.approvers.get(phase, {}), barred)


def rules(move: Move) -> list[approvals.Rule]:
    """The frozen rules as the gates read them."""
    return [rule_of(one) for one in move.rules]


def signatures(move: Move) -> list[approvals.Signature]:
    """The decisions that hold: on the present seal."""
    return [approvals.Signature(one.person, one.decision) for one in move.marks if one.seal == move.seal]


def waits_for_me(view: Reader, phase: int, move: Move) -> list[str]:
    """Roles as which the reader's approval would bring this promotion forward; empty: not asked."""
    if move.status != "waiting" or not view.may("approve", phase):
        return []
    return [seat.rule.role for seat in standing(view, phase, move) if not seat.met and view.me in seat.candidates]


def _approval(view: Reader, phase: Phase, move: Move) -> Next:
    seats = [seat for seat in standing(view, phase.pk, move) if not seat.met]
    groups = [(seat, people(view.actor, seat.candidates, view.names)) for seat in seats]
    lonely = next((seat for seat, able in groups if len(able) < seat.missing), None)
    if lonely:
        text = f"Waits for a **{lonely.rule.role}**, and nobody left can give that approval"
    else:
        text = "Waits for " + listed(list(dict.fromkeys(_whom(seat, able) for seat, able in groups)))
    who = list(dict.fromkeys(one for _, able in groups for one in able))
    mine = any(one.you for one in who)
    action = Action("review", "Review", f"/approvals/{move.id}/") if mine else Action("view", "View", _promotion(move))
    return Next("approval", text, who, since=move.requested_at, until=move.approve_before, action=action)


def _whom(seat: approvals.Standing, able: Sequence[Person]) -> str:
    """One rule's part of the sentence: the people themselves when all are needed, else that one of them is enough."""
    if len(able) == seat.missing:
        return listed([one.text for one in able])
    if len(able) <= 3 and seat.missing == 1:
        return " or ".join([", ".join(one.text for one in able[:-1]), able[-1].text])
    if able[0].you:
        return f"**you** or another **{seat.rule.role}**"
    return f"{seat.missing} × **{seat.rule.role}**" if seat.missing > 1 else f"a **{seat.rule.role}**"


# --- what ended badly, what is sick, what could come


def _ended(view: Reader, course: Course, phase: Phase, move: Move) -> Next:
    url, since = _promotion(move), move.finished_at
    version = f"**{move.build.version}**"
    if move.status == "errored":
        may = view.may("roll_back", phase.pk, course.application.pk)
        action = Action("resolve", "Resolve", url) if may else Action("view", "View", url)
        text = f"Outcome of {version} in **{phase.name}** is unknown until someone decides"
        return Next("errored", text, since=since, action=action)
    action = Action("view", "View", url)
    if move.status == "rejected":
        by = next((mark.name for mark in move.marks if mark.decision == "rejected"), "")
        text = f"Rejected by **{by}**, see comment" if by else f"{version} was rejected for **{phase.name}**"
        return Next("rejected", text, since=since, action=action)
    return Next("failed", f"{version} failed in **{phase.name}**{_because(move)}", since=since, action=action)


def _because(move: Move) -> str:
    """The step that failed, or the first sentence of the reason."""
    step = next((one for one in move.steps if one.status in ("failed", "errored")), None)
    if step:
        return f", at “{step.name}”"
    first = move.reason.split(". ")[0].rstrip(".")
    return f": {first}" if first else ""


def _sick(view: Reader, course: Course, phase: Phase, place: Place) -> Next:
    since = f" since {clock(place.health_since, view.now)}" if place.health_since else ""
    detail = f": {place.health_detail}" if place.health_detail else ""
    base = f"/apps/{course.application.slug}/{phase.slug}/"
    may = view.may("roll_back", phase.pk, course.application.pk)
    action = Action("rollback", "Roll back", f"{base}rollback/") if may else Action("view", "View", base)
    text = f"**{phase.name}** is unhealthy{since}{detail}"
    return Next("health", text, since=place.health_since, action=action)


def _drifted(view: Reader, course: Course, phase: Phase, place: Place) -> Next:
    """What runs is not what the record says: to be reverted or adopted by a person."""
    base = f"/apps/{course.application.slug}/{phase.slug}/"
    may = view.may("roll_back", phase.pk, course.application.pk)
    action = Action("view", "Adopt or revert" if may else "View", base)
    words = place.drift.text.rstrip(".") if place.drift else ""
    return Next("drift", f"**{phase.name}** drifted: {words}", since=place.drift_since, action=action)


def _coming(view: Reader, course: Course, phase: Phase) -> list[Next]:
    """What stands before this phase: it can go, or something keeps it."""
    place, build = course.places[phase.pk], candidate(course, phase)
    if build is None or _went_back(view, course, phase, build):
        return []
    verdicts = gates.evaluate(facts(view, course, phase, build))
    failed = [verdict for verdict in verdicts if verdict.state == "failed"]
    if any(verdict.gate in ("version", "release") for verdict in failed):
        return []
    held = failed or [one for one in verdicts if one.state == "waiting" and one.gate in ("lock", "environment")]
    if held:
        look = Action("view", "View", held[0].link or f"/apps/{course.application.slug}/{phase.slug}/")
        if held[0].gate == "lock":
            return [_locked(view, place, phase, look)]
        return [Next(KIND_OF_GATE.get(held[0].gate, "dependency"), said(held[0]), action=look)]
    may = view.may("promote", phase.pk, course.application.pk)
    action = promote_to(course.application, phase, build.version) if may else None
    return [Next("ready", f"**{build.version}** can go to **{phase.name}**", action=action)]


def _went_back(view: Reader, course: Course, phase: Phase, build: Build) -> bool:
    """Whether the phase was rolled back from this release: it is not pushed forward again by itself."""
    live = course.places[phase.pk].live
    return bool(live and live.kind == "rollback" and phase.pk in view.reached.get(build.id, ()))


# --- facts for the gates


def facts(view: Reader, course: Course, phase: Phase, build: Build, move: Move | None = None) -> gates.Facts:
    """The gates' facts from what was read for all places at once; the artifact is looked at where one release is."""
    place, base = course.places[phase.pk], f"/apps/{course.application.slug}"
    here = f"{base}/{phase.slug}/"
    reached = view.reached.get(build.id, frozenset())
    live, stop = place.live, phase.pipeline.prerelease_until
    ends = stop.name if stop and view.may("view", stop.pk) else gates.UNSEEN
    errored = place.trouble if place.trouble and place.trouble.status == "errored" else None
    return gates.Facts(
        now=view.now,
        application=course.application.name,
        phase=phase.name,
        version=build.version,
        kind=move.kind if move else "deploy",
        earlier=[_earlier(view, course, one, one.pk in reached) for one in course.before(phase)[::-1]],
        succeeded_here=phase.pk in reached,
        live_version=live.build.version if live else "",
        lower=bool(live and build.precedence < live.build.precedence),
        prerelease=build.channel != "stable",
        prerelease_ends=ends if stop and phase.position > stop.position else "",
        withdrawn=build.withdrawn,
        missing_keys=_missing(view, place, build, move),
        environment_problems=problems_of(phase.name, place.findings, place.checked_at),
        blocked_by=errored.id if errored and (move is None or errored.id != move.id) else None,
        holds=_holds(course, phase, place),
        link_release=f"{base}/releases/{build.version}/",
        link_environment=here,
        link_configuration=f"{here}configuration/",
        **(_of_move(view, phase, move) if move else {}),
    )


def _of_move(view: Reader, phase: Phase, move: Move) -> dict[str, Any]:
    """What only a promotion that exists has: rules, decisions, times."""
    return {
        "allow_lower": move.allow_lower,
        "rules": rules(move),
        "signatures": signatures(move),
        "approvers": view.approvers.get(phase.pk, {}),
        "names": view.names,
        "barred": barred_people(move.requested_by, move.authors),
        "approve_before": move.approve_before,
        "not_before": move.not_before,
        "not_after": move.not_after,
        "link_approve": f"/approvals/{move.id}/",
    }


def _missing(view: Reader, place: Place, build: Build, move: Move | None) -> list[str]:
    """A promotion keeps the configuration that it was frozen with; a candidate would take today's."""
    if move:
        return list(move.missing)
    here = view.keys.get(place.environment, frozenset())
    return sorted(key for key in build.required if key not in here)


def _holds(course: Course, phase: Phase, place: Place) -> list[gates.Hold]:
    here, whole = f"{course.application.name} in {phase.name}", f"all of {phase.name}"
    page = f"/pipelines/{course.application.pipeline.slug}/{phase.slug}/"
    return [
        gates.Hold(hold.reason, hold.by, whole if hold.phase else here, [], page if hold.phase else "", hold.until)
        for hold in place.holds
    ]


def _earlier(view: Reader, course: Course, phase: Phase, reached: bool) -> gates.Earlier:
    link = f"/apps/{course.application.slug}/{phase.slug}/" if phase.pk in course.places else ""
    return gates.Earlier(phase.name, phase.optional, reached, [], link, view.may("view", phase.pk))


def _promotion(move: Move) -> str:
    return f"/promotions/{move.id}/"


def _look(move: Move) -> Action:
    return Action("view", "View", _promotion(move))
