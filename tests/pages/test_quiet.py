"""What is well says little: the pages lead with what is open."""

from __future__ import annotations


def page(world, role, path):
    return world.browser(role).get(path).content.decode()


def test_approving_leads_with_proof_and_folds_the_rules_that_are_met(world):
    told = page(world, "business-owner", f"/approvals/{world.promotions['waiting'].pk}/")
    evidence = told[told.index(">Evidence</h2>") :]
    assert evidence.index("Ran this exact build") < evidence.index(">Rules</span>")
    assert "met: order, version" in evidence
    assert evidence.count("Complete</span>") == 1


def test_what_has_not_begun_shows_what_it_waits_for_and_no_progress(world):
    told = page(world, "release-manager", f"/promotions/{world.promotions['waiting'].pk}/")
    assert 'id="prog"' not in told
    assert told.index("What it waits for") < told.index(">Steps</h2>")
    assert 'id="prog"' in page(world, "release-manager", f"/promotions/{world.promotions['live'].pk}/")


def test_where_nothing_runs_a_phase_says_it_once(world):
    told = page(world, "release-manager", "/pipelines/shop/live/")
    assert "Nothing has come to" not in told
    assert "://" not in told[told.index("<tbody>") : told.index("</tbody>")]
