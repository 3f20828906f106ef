"""The rows of FAULTS in which something changes under a promotion: what it was made from, or who carries it out."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.faults.drill import LATE, Drill, Report

Undo = Callable[[], object]


def bring_near_live(drill: Drill) -> Any:
    """A release of the careful shop that has reached stage, by the workers."""
    from releases.models import Promotion

    careful = drill.world.approving
    known = careful.application.releases.order_by("id").first()
    if known is not None:
        return known
    release = careful.release("1.0.0")
    for phase in ("dev", "qa", "stage"):
        promotion = careful.ask(release, phase)
        end = time.monotonic() + 120
        while Promotion.objects.get(pk=promotion.pk).status != "succeeded" and time.monotonic() < end:
            time.sleep(0.1)
        promotion.refresh_from_db()
        assert promotion.status == "succeeded", f"{phase}: {promotion.status} {promotion.reason}"
    return release


def changed_meanwhile(drill: Drill, report: Report, dice: random.Random) -> None:
    """Row 15: something changes between approval and claim: not run, and it says what changed."""
    careful, release = drill.world.approving, bring_near_live(drill)
    for what, (words, change) in CHANGES.items():
        with nobody_works(drill):
            promotion = careful.approve(careful.ask(release, "live"))
            undo = change(drill, dice)
            report.count(f"{what} changed after the approval")
        held(report, promotion, what, words)
        undo()


@contextlib.contextmanager
def nobody_works(drill: Drill) -> Iterator[None]:
    """All workers are stopped meanwhile."""
    for worker in drill.stack.alive():
        worker.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for worker in drill.stack.alive():
            worker.signal(signal.SIGCONT)


def held(report: Report, promotion: Any, what: str, words: str) -> None:
    """It must wait again and say why; then it is withdrawn."""
    from releases import actions

    end = time.monotonic() + 60
    while promotion.status == "queued" and time.monotonic() < end:
        time.sleep(0.1)
        promotion.refresh_from_db()
    if promotion.status != "waiting" or words not in promotion.reason or promotion.epoch:
        report.wrong.append(f"it is {promotion.status} ({promotion.reason}), though {what} changed")
    actions.cancel(promotion, actor=promotion_owner(promotion))


def promotion_owner(promotion: Any) -> Any:
    from relman.actors import Actor

    return Actor(promotion.requested_by, "page")


def configuration_changed(drill: Drill, dice: random.Random) -> Undo:
    from phases import actions as places

    careful = drill.world.approving
    places.set_configuration(
        careful.environments["live"], {"GREETING": str(dice.random())}, actor=careful.actor("devops")
    )
    return lambda: None


def artifact_changed(drill: Drill, dice: random.Random) -> Undo:
    """The bytes that were published get shorter on the disk."""
    from releases import storage

    artifact = bring_near_live(drill).artifacts.get()
    path = storage.path_of(artifact.digest)
    content = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(content[:-1])
    return lambda: path.write_bytes(content)


def plan_changed(drill: Drill, dice: random.Random) -> Undo:
    """The environment's script has other steps than were approved."""
    from phases import actions as places

    careful = drill.world.approving
    live = careful.environments["live"]
    before = dict(live.settings)
    steps = [{"do": "noop"}] * dice.randint(5, 9)
    places.edit_environment(live, actor=careful.actor("devops"), settings={**before, "steps": steps})
    return lambda: places.edit_environment(live, actor=careful.actor("devops"), settings=before)


def rule_changed(drill: Drill, dice: random.Random) -> Undo:
    """The rule asks for one more than have approved."""
    from phases import actions as places
    from phases.models import Rule
    from tests import factories

    rule = Rule.objects.select_related("phase", "role").get(phase=drill.world.approving.phase("live"), name="business")

    def ask_for(count: int) -> None:
        places.set_rule(rule.phase, actor=factories.administrator(), name=rule.name, role=rule.role, count=count)

    count = rule.count
    ask_for(count + 1)
    return lambda: ask_for(count)


def right_removed(drill: Drill, dice: random.Random) -> Undo:
    """Whoever approved may not approve any more."""
    from phases.models import Grant
    from phases.permissions import granting
    from tests import factories

    careful = drill.world.approving
    owner, live = careful.people["business-owner"], careful.phase("live")
    grant = Grant.objects.get(user=owner, phase=live, role__slug="business-owner")
    granting.revoke(grant, actor=factories.administrator())
    return lambda: granting.grant(grant.role, grant.phase, actor=factories.administrator(), user=grant.user)


CHANGES: dict[str, tuple[str, Callable[[Drill, random.Random], Undo]]] = {
    "the configuration": ("configuration", configuration_changed),
    "the artifact": ("rtifact", artifact_changed),
    "the plan": ("the plan", plan_changed),
    "the rule": ("the approval rules", rule_changed),
    "an approver's right": ("business", right_removed),
}
"""What changes -> a word of the reason that must be said, and who does it."""


def newer_code(drill: Drill, report: Report, dice: random.Random) -> None:
    """Row 21: new code asks while workers of before still run: they leave its promotions alone, and none is lost."""
    from releases import formats
    from releases.models import Promotion

    careful, release = drill.world.approving, bring_near_live(drill)
    known = formats.PLAN
    try:
        formats.PLAN = known + 1  # from here on this process is the new code; the workers are today's
        waiting = careful.ask(release, "live")
        asked = [drill.world.ask(place.pk, dice) for place in drill.world.environments[::2]]
        approved = careful.approve(waiting)
    finally:
        formats.PLAN = known
    mine = [one.pk for one in [*asked, waiting] if one is not None]
    drill.world.accepted.append(waiting.pk)
    for place in drill.world.environments[1::2]:
        report.asked += drill.world.ask(place.pk, dice) is not None
    report.asked += len(mine)
    report.count("promotions of newer code beside older workers", len(mine))
    time.sleep(4 if drill.brief else 8)  # rounds of their sweep, and rings of their own
    touched = Promotion.objects.filter(pk__in=mine).exclude(status__in=("queued", "superseded"), epoch=0)
    report.wrong += [f"an older worker took promotion {one.pk}: {one.status}" for one in touched]
    if approved.approvals.exclude(voided_at=None).exists():
        report.wrong.append("an older worker voided what was approved of a newer plan")
    drill.stack.worker({**drill.more, "FAULTS_PLAN": str(known + 1)}).await_ready()
    end = time.monotonic() + LATE
    while Promotion.objects.filter(pk__in=mine, epoch=0, status="queued").exists() and time.monotonic() < end:
        time.sleep(0.2)
    left = Promotion.objects.filter(pk__in=mine, epoch=0, status="queued").count()
    if left:
        report.late += left
        report.wrong.append(f"{left} promotions of newer code were not begun {LATE:.0f} s after a newer worker came")
    drill.peace()
    newest = drill.stack.alive()[-1]
    newest.process.send_signal(signal.SIGTERM)
    newest.process.wait(120)
