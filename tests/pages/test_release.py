"""The release page: its changes by kind, its one next step, and a first deployment said as such."""

from phases import actions as places
from phases.models import Environment
from releases import actions, queries
from releases.models import Change
from relman.actors import Actor
from tests import factories


def page(world, who, version):
    path = version if version.count("/") else f"{version}/"
    return world.browser(who).get(f"/apps/shop/releases/{path}").content.decode()


def test_changes_are_filtered_by_kind(world):
    items = [{"kind": "feature", "title": "Gift cards"}, {"kind": "fix", "title": "Rounding"}, {"title": "Tidy up"}]
    release = world.shop.release("1.4.0")
    Change.objects.bulk_create(Change(release=release, position=at, **one) for at, one in enumerate(items))
    actor = Actor(world.user("developer"), "page")
    everything = queries.release_page(actor, release)
    assert everything.change_counts == {"feature": 1, "fix": 1, "other": 1}
    assert [one.title for one in queries.release_page(actor, release, "fix").changes] == ["Rounding"]
    assert [one.title for one in queries.release_page(actor, release, "other").changes] == ["Tidy up"]
    text = world.browser("developer").get("/apps/shop/releases/1.4.0/?kind=fix").content.decode()
    assert "Rounding" in text and "Gift cards" not in text and 'href="?kind=feature#changes"' in text


def test_who_cannot_decide_is_not_offered_to_watch(world):
    number = world.promotions["waiting"].pk
    decider, reader = page(world, "business-owner", "1.1.0"), page(world, "developer", "1.1.0")
    assert f'class="btn primary" href="/approvals/{number}/"' in decider
    assert 'class="btn primary"' not in reader and ">Watch<" not in reader


def test_a_first_deployment_says_what_is_set(world):
    shop = factories.shop("fresh")
    live = shop.environments["live"]
    places.set_configuration(live, {"A": "1", "B": "2"}, actor=shop.actor("devops"))
    release = shop.release("1.0.0")
    shop.bring(release, "dev", "qa", "stage")
    promotion = shop.ask(release, "live")
    found = queries.approve_page(shop.actor("business-owner"), promotion)
    assert [(one.key, one.kind) for one in found.differences] == [("A", "new"), ("B", "new")]
    browser = world.browser("anonymous")
    browser.force_login(shop.actor("business-owner").user)
    assert "2 values set for the first time" in browser.get(f"/approvals/{promotion.pk}/").content.decode()
    assert "2 keys set for the first time" in browser.get("/apps/fresh/releases/1.0.0/").content.decode()


def test_an_ended_promotion_no_longer_goes_anywhere(world):
    promotion = world.promotions["waiting"]
    path = f"/approvals/{promotion.pk}/"
    assert "Goes to Live" in world.browser("business-owner").get(path).content.decode()
    actions.cancel(promotion, actor=world.shop.actor("release-manager"))
    text = world.browser("business-owner").get(path).content.decode()
    assert "Goes to Live" not in text and "When the last approval is in" not in text


def test_a_change_voids_an_approval_on_the_page_at_once(world):
    promotion, shop = world.promotions["waiting"], world.shop
    owner = shop.actor("business-owner")
    actions.approve(promotion, actor=owner)
    before = queries.approve_page(owner, promotion)
    assert (before.ask.approved, before.void) == (1, None)
    places.set_configuration(shop.environments["live"], {"NEW": "1"}, actor=shop.actor("devops"))
    after = queries.approve_page(owner, promotion)
    assert after.void is not None and after.void.what == "the configuration (NEW added)"
    assert (after.ask.approved, after.decision.state) == (0, "open")
    assert {one.state for one in after.approvers} == {"open"}


def test_the_example_command_names_the_next_version(world):
    text = world.browser("developer").get("/apps/shop/releases/new/").content.decode()
    assert "--version 1.3.0</code>" in text


def test_what_a_retry_repeats_stands_beside_the_steps_and_goes_when_it_was_tried_again(world):
    shop = world.shop
    places.edit_environment(shop.environments["dev"], actor=shop.actor("devops"), settings={"steps": [{"do": "fail"}]})
    failed = factories.run(shop.ask(world.releases["1.2.0"], "dev"))
    assert failed.status == "failed"
    browser, page = world.browser("developer"), f"/promotions/{failed.pk}/"
    for shown in (browser.get(page), browser.get(f"{page}progress/", headers={"hx-request": "true"})):
        text = shown.content.decode()
        assert "What Retry repeats" in text.partition('id="promotion-retry"')[2].partition('id="promotion-foot"')[0]
        assert "<b>promote into</b> <bdi>Dev</bdi>. You have it." in text
    reader = world.browser("stakeholder").get(f"/promotions/{world.promotions['live'].pk}/").content.decode()
    assert "What Retry repeats" not in reader
    actions.retry(failed, actor=shop.actor("developer"))
    assert "What Retry repeats" not in browser.get(page).content.decode()


def test_a_restart_by_the_supervisor_is_said_where_it_runs_and_on_what_brought_it(world):
    live = world.promotions["live"]
    place = Environment.objects.filter(pk=live.environment_id)
    browser, pages = world.browser("developer"), ("/apps/shop/live/", f"/promotions/{live.pk}/")
    for seen in ({"promotion": live.pk, "restarts": 0}, {"promotion": live.pk + 1000, "restarts": 2}):
        place.update(observed=seen)
        assert not any("restarted" in browser.get(page).content.decode() for page in pages)
    place.update(observed={"promotion": live.pk, "restarts": 2, "version": "1.0.0"})
    here, there = (browser.get(page).content.decode() for page in pages)
    assert "restarted 2 times since it was started" in here
    assert "An instance ended by itself since and was restarted, 2 times in all." in there


def test_seven_changes_stand_on_the_page_and_all_when_asked_for(world):
    release = world.shop.release("1.4.0")
    Change.objects.bulk_create(Change(release=release, position=at, title=f"Change {at}.") for at in range(9))
    few, every = page(world, "developer", "1.4.0"), page(world, "developer", "1.4.0/?changes=all")
    assert "Change 6." in few and "Change 7." not in few
    assert "7 of 9 changes" in few and 'href="?changes=all#changes"' in few
    assert "Change 8." in every and "Show all changes" not in every
    assert few.index("Change 6.") < few.index(" asks</h2>")


def test_the_size_is_said_against_the_release_that_the_target_has(world):
    release, first = world.releases["1.1.0"], world.releases["1.0.0"]
    first.artifacts.update(size=1_000_000)
    for size, said in (
        (4_000_000, '4.0 MB, +3.0 MB<small class="sub-l">against 1.0.0'),
        (900_000, '900 kB, −100 kB<small class="sub-l">against 1.0.0'),
        (1_000_000, '1.0 MB<small class="sub-l">as large as 1.0.0'),
    ):
        release.artifacts.update(size=size)
        assert said in page(world, "developer", "1.1.0")
    assert "1.0.0" not in page(world, "developer", "1.0.0").partition("<dt>Size</dt>")[2].partition("<dt>")[0]
