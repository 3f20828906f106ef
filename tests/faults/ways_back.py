"""Kills around the ways back that nobody walks by hand: the answer to a failed verification, and rehearsals."""

from __future__ import annotations

import random
import time
from typing import Any

from tests.faults import injectors as inject
from tests.faults.drill import PEACE, Drill, Report

STEPS = [{"do": "noop", "name": "Migrate", "lasting": True}, {"do": "sleep", "seconds": 0.3}]


def answered_and_rehearsed(drill: Drill, report: Report, dice: random.Random) -> None:
    """Row 19, without a person: each failed verification is answered by one rollback, each rehearsal goes there and
    back, whoever is killed meanwhile."""
    shops = dice.sample(drill.world.shops, 4)
    kept = [dict(shop.environments["dev"].settings) for shop in shops]
    phases = {shop.phase("dev").pk: shop for shop in shops}.values()
    drill.peace()
    for shop in shops:
        rewrite(shop, STEPS)
    switch(phases, on=True)
    two_releases(drill, report, dice, shops)
    sick = [fails(drill, report, dice, shop) for shop in shops[:2]]
    practised = [rehearse(drill, report, dice, shop) for shop in shops[2:]]
    at_rest(drill)
    report.facts["answers"] = sorted(answers(drill, report, sick))
    report.facts["rehearsals"] = sorted(ends(drill, report, practised))
    switch(phases, on=False)
    for shop, settings in zip(shops, kept, strict=True):
        rewrite(shop, settings["steps"])


def rewrite(shop: Any, steps: Any) -> None:
    from tests.faults import world

    world.rewrite(shop, "dev", steps=steps)


def switch(shops: Any, *, on: bool) -> None:
    """Whether the phases of these shops roll back by themselves."""
    from phases import actions as places

    for shop in shops:
        places.set_phase(shop.phase("dev"), actor=shop.actor("admin"), auto_rollback=on)


def two_releases(drill: Drill, report: Report, dice: random.Random, shops: Any) -> None:
    """Something to go back from, and something to go back to."""
    for publish in (False, True):
        for shop in shops:
            place = shop.environments["dev"].pk
            if publish:
                drill.world.publish(place)
            report.asked += drill.world.ask(place, dice) is not None
        drill.peace()


def fails(drill: Drill, report: Report, dice: random.Random, shop: Any) -> int:
    """Ask for a release that will not get healthy, with trapdoors on its way and on the way back."""
    from releases.models import Release

    known = shop.application.releases.count()
    release = shop.release(f"1.{len(drill.world.releases[shop.environments['dev'].pk]) - 1}.{known}")
    sick = {**release.manifest, "scripted": {"health": "exit"}}
    Release.objects.filter(pk=release.pk).update(manifest=sick)  # its own script, so that what was before stays well
    release.refresh_from_db()
    inject.trapdoor(drill, report, dice)
    asked = shop.ask(release, "dev")
    report.asked += 1
    drill.world.accepted.append(asked.pk)
    time.sleep(0.5)
    inject.trapdoor(drill, report, dice)
    return int(asked.pk)


def rehearse(drill: Drill, report: Report, dice: random.Random, shop: Any) -> int:
    """Ask for a rehearsal, with trapdoors on both of its ways."""
    from releases import actions

    inject.trapdoor(drill, report, dice)
    made = actions.rehearse(shop.environments["dev"], actor=shop.actor("developer"))
    report.asked += 1
    drill.world.accepted.append(made.back_id)
    time.sleep(0.5)
    inject.trapdoor(drill, report, dice)
    return int(made.pk)


def at_rest(drill: Drill) -> None:
    """Wait until the rehearsals too have ended, and all that followed from anything."""
    from releases.models import Rehearsal

    end = time.monotonic() + PEACE
    drill.peace()
    while Rehearsal.objects.filter(state__in=("back", "forth")).exists() and time.monotonic() < end:
        time.sleep(0.3)
        drill.peace()


def answers(drill: Drill, report: Report, sick: list[int]) -> list[str]:
    """Each failed verification has one answer, no more, and what was live before is live again."""
    from releases.models import Promotion

    found = []
    for one in Promotion.objects.filter(pk__in=sick):
        back = list(Promotion.objects.filter(rolls_back=one))
        live = Promotion.objects.filter(environment=one.environment_id, status="succeeded").latest("finished_at")
        if one.status != "failed" or [answer.status for answer in back] != ["succeeded"] or live not in back:
            report.wrong.append(f"promotion {one.pk} is {one.status}, its answers are {back}, {live.pk} is live")
        drill.world.accepted += [answer.pk for answer in back]
        found += [answer.status for answer in back]
    return found


def ends(drill: Drill, report: Report, practised: list[int]) -> list[str]:
    """Each rehearsal went there and back, once, and what was live before is live again."""
    from releases.models import Promotion, Rehearsal

    found = []
    for one in Rehearsal.objects.filter(pk__in=practised):
        live = Promotion.objects.filter(environment=one.environment_id, status="succeeded").latest("finished_at")
        if (one.state, live.pk) != ("passed", one.forth_id) or live.release_id != one.leaves_id:
            report.wrong.append(f"rehearsal {one.pk} is {one.state} ({one.reason}), {live.pk} is live")
        drill.world.accepted += [pk for pk in (one.forth_id,) if pk]
        found.append(one.state)
    return found
