"""The rows of FAULTS in which people do things at the same moment."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tests.faults.changes import bring_near_live, changed_meanwhile, newer_code
from tests.faults.drill import Drill, Report
from tests.faults.uploads import upload_killed


def at_once(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """Do all of them at the same moment; what each gave, or the error it raised."""
    from django.db import connections

    gate = threading.Barrier(len(works))
    answers: list[Any] = [None] * len(works)

    def body(number: int, work: Callable[[], Any]) -> None:
        gate.wait(120)
        try:
            answers[number] = work()
        except Exception as error:
            answers[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=body, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def token(shop: Any) -> str:
    """A token of a developer of this shop."""
    from phases import tokens

    actor = shop.actor("developer")
    assert actor.user is not None
    return tokens.issue(actor.user, actor=actor, name=f"drill {time.monotonic_ns()}")[1]


def call(port: int, secret: str, path: str, body: dict[str, Any], key: str) -> tuple[int, bytes]:
    """One POST to the API."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    head = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json", "Idempotency-Key": key}
    line.request("POST", f"/api/v1/{path}", json.dumps(body), head)
    answer = line.getresponse()
    return answer.status, answer.read()


def double_click(drill: Drill, report: Report, dice: random.Random) -> None:
    """Row 11: one idempotency key twenty times at once gives twenty equal answers and one promotion."""
    from releases.models import Promotion

    port = drill.stack.serve()
    for number in range(3):
        shop = dice.choice(drill.world.shops)
        secret = token(shop)
        version = drill.world.releases[shop.environments["dev"].pk][-1].version
        wish = {"application": shop.application.slug, "version": version, "phase": "dev"}
        key, before = f"key-{dice.random()}", Promotion.objects.count()
        answers = at_once([partial(call, port, secret, "promotions/", wish, key)] * 20)
        report.count("one key twenty times at once")
        report.wrong += [f"click {number}: {one}" for one in answers if not isinstance(one, tuple) or one[0] != 201]
        if len({str(one) for one in answers}) != 1:
            report.wrong.append(f"click {number}: answers differ: {answers[:3]}")
        if Promotion.objects.count() != before + 1:
            report.wrong.append(f"click {number} made {Promotion.objects.count() - before} promotions")
        report.asked += 1


def approvers(drill: Drill, report: Report, dice: random.Random) -> None:
    """Row 12: twenty approvers at once for two, one withdraws meanwhile: counted right, runs once."""
    from phases import actions as places
    from phases.models import Role
    from releases import actions
    from tests import factories

    careful = drill.world.approving
    live, role = careful.phase("live"), Role.objects.get(slug="business-owner")
    people = [factories.person(f"owner-{number}-{dice.randint(0, 10**9)}") for number in range(20)]
    for person in people:
        places.grant(role, live, actor=factories.administrator(), user=person.user)
    release = bring_near_live(drill)
    places.set_rule(live, actor=factories.administrator(), name="business", role=role, count=2)
    promotion = careful.ask(release, "live")
    actions.approve(promotion, actor=careful.actor("qa-engineer"))
    withdrawing = [lambda: later_withdraw(promotion, people[0])]
    answers = at_once([*(lambda p=p: actions.approve(promotion, actor=p) for p in people), *withdrawing])
    report.count("twenty approvals at the same moment")
    counted = promotion.approvals.filter(decision="approved", voided_at=None).count()
    said = sum(not isinstance(one, Exception) for one in answers[:20])
    report.facts |= {"said yes": said, "withdrawn": not isinstance(answers[20], Exception), "counted": counted}
    drill.world.accepted.append(promotion.pk)
    report.asked += 1
    drill.peace()
    places.set_rule(live, actor=factories.administrator(), name="business", role=role, count=1)


def later_withdraw(promotion: Any, person: Any) -> Any:
    from releases import actions

    time.sleep(0.05)
    return actions.withdraw_approval(promotion, actor=person)


def two_at_once(drill: Drill, report: Report, dice: random.Random) -> None:
    """Row 13: two promotions into one environment at the same moment, many times."""
    for _ in range(10):
        place = dice.choice(drill.world.environments).pk
        answers = at_once([partial(drill.world.ask, place, dice)] * 2)
        report.count("two promotions of one environment at once")
        report.asked += sum(one is not None and not isinstance(one, Exception) for one in answers)
        report.wrong += [f"a click broke off: {one}" for one in answers if isinstance(one, Exception)]


def races(drill: Drill, report: Report, dice: random.Random) -> None:
    """Row 14: cancel against the claim, abort against the last step, approve against reject: one outcome each."""
    from releases import actions

    aborted = []
    for _ in range(6):
        shop = dice.choice(drill.world.shops)
        asked = drill.world.ask(shop.environments["dev"].pk, dice)
        if asked is None:
            continue
        promotion = asked
        report.asked += 1
        time.sleep(dice.uniform(0, 0.3))
        developer = shop.actor("developer")
        try_it(report, "cancel against the claim", partial(actions.cancel, promotion, actor=developer))
        time.sleep(dice.uniform(0, 1.5))
        if try_it(report, "abort against the end", partial(actions.abort, promotion, actor=developer)):
            aborted.append(promotion.pk)
    careful, release = drill.world.approving, bring_near_live(drill)
    for _ in range(3):
        promotion = careful.ask(release, "live")
        yes, no = careful.actor("business-owner"), careful.actor("qa-engineer")
        answers = at_once(
            [
                partial(actions.approve, promotion, actor=yes),
                partial(actions.reject, promotion, actor=no, comment="No."),
            ]
        )
        report.count("approve against reject")
        promotion.refresh_from_db()
        if promotion.status != "rejected" or isinstance(answers[1], Exception):
            report.wrong.append(f"a no did not end promotion {promotion.pk}: {promotion.status}, {answers}")
    drill.peace()
    from releases.models import Promotion

    for row in Promotion.objects.filter(pk__in=aborted, status="succeeded"):
        report.wrong.append(f"promotion {row.pk}: the abort was accepted, and it succeeded")


def try_it(report: Report, name: str, act: Callable[[], Any]) -> bool:
    """Whether it was accepted; a polite no is fine, anything else is wrong."""
    from relman.errors import RelManError

    report.count(name)
    try:
        act()
    except RelManError:
        return False
    return True


TOGETHER = {
    "11": double_click,
    "12": approvers,
    "13": two_at_once,
    "14": races,
    "15": changed_meanwhile,
    "16": upload_killed,
    "21": newer_code,
}
