"""What blocks, who can clear it, from when, and where to look."""

from __future__ import annotations

from typing import Any

from relman.cli import exits
from tests.cli.conftest import Run
from tests.cli.server import Api
from tests.cli.test_promote import WAITING, promotion

PASSED: dict[str, Any] = {"gate": "version", "state": "passed", "reason": "", "who": [], "earliest": None, "link": ""}
OFFERS = "GET applications/shop/releases/1.0.0+2/offers/"


def test_of_a_promotion(run: Run, api: Api) -> None:
    api.on("GET promotions/7/", promotion("waiting", verdicts=[PASSED, WAITING | {"earliest": "2026-12-24T18:00:00Z"}]))
    ran = run("why", "7")
    assert ran.code == 0
    assert "waits  approvals: One business owner must approve." in ran.out
    assert "earliest: 2026-12-24" in ran.out
    assert "Passed: version." in ran.out


def test_of_what_is_only_thought_of(run: Run, api: Api) -> None:
    refused = {**WAITING, "gate": "order", "state": "failed", "reason": "Stage first."}
    api.on(OFFERS.replace("+", "%2B"), {"verdicts": [refused], "allowed": False, "kind": "deploy"})
    ran = run("why", "shop", "1.0.0+2", "live", "--exit-code")
    assert ran.code == exits.CONFLICT
    assert api.asked[0].path.endswith("offers/?phase=live")
    assert "is not possible now" in ran.out
    assert "blocks  order: Stage first." in ran.out


def test_of_what_nothing_blocks(run: Run, api: Api) -> None:
    api.on("GET applications/shop/releases/1.0.0/offers/", {"verdicts": [PASSED], "allowed": True, "kind": "redeploy"})
    ran = run("why", "shop", "1.0.0", "live", "--exit-code")
    assert (ran.code, "Nothing blocks it." in ran.out, "redeploy" in ran.out) == (0, True, True)


def test_as_json_it_is_the_apis_document(run: Run, api: Api) -> None:
    api.on("GET promotions/7/", promotion("waiting", verdicts=[WAITING]))
    assert run("why", "7", "--json").json["verdicts"] == [WAITING]


def test_half_a_question_is_no_question(run: Run, api: Api) -> None:
    assert run("why", "shop", "1.0.0").code == exits.USAGE
    assert run("why", "shop").code == exits.USAGE
    assert api.asked == []
