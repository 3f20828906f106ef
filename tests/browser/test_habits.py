"""Keyboard, themes, no scripts, a lost connection."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.populate import application
from tests.browser.site import archive, until


def focused(page):
    """What has the focus, in words."""
    return page.evaluate("() => (document.activeElement.textContent || document.activeElement.id).trim()")


def test_the_keyboard_reaches_everything_in_reading_order(people, quiet):
    with people.page("release-manager") as page:
        page.goto("/board/")
        order = []
        for _ in range(7):
            page.keyboard.press("Tab")
            order.append(focused(page).split("  ")[0])
        assert order[0] == "Skip to content"
        for text, word in zip(
            order[1:], ("RelMan", "Search", "Board", "Approvals", "Applications", "Audit"), strict=True
        ):
            assert text.startswith(word)
        page.goto("/board/")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_be_focused()


def test_single_keys(people, quiet):
    with people.page("release-manager") as page:
        page.goto("/apps/")
        page.keyboard.press("g")
        page.keyboard.press("b")
        expect(page).to_have_url(re.compile("/board/$"))
        page.wait_for_load_state()
        page.keyboard.press("/")
        expect(page.get_by_label("Filter applications")).to_be_focused()
        page.keyboard.type("store")
        expect(page).to_have_url(re.compile("q=store$"))  # whoever types slowly is answered in between, too
        expect(page.locator("[data-row]")).to_have_count(1)
        page.get_by_label("Filter applications").blur()
        page.keyboard.press("j")
        expect(page.locator("[data-row]").get_by_role("link", name="Storefront").first).to_be_focused()
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("/apps/storefront/$"))
        page.wait_for_load_state()
        page.keyboard.press("?")
        expect(page).to_have_url(re.compile("/help/$"))


def test_the_palette_goes_and_does(people, quiet):
    with people.page("developer") as page:
        page.goto("/board/")
        page.keyboard.press("Control+k")
        palette = page.get_by_role("dialog", name="Search or jump to")
        expect(palette.get_by_role("searchbox")).to_be_focused()
        expect(palette).to_contain_text("New release")
        page.keyboard.type("storef")
        expect(palette.get_by_role("link", name="Storefront", exact=False).first).to_be_visible()
        page.keyboard.press("Escape")
        expect(palette).to_be_hidden()
        page.keyboard.press("Control+k")
        page.keyboard.insert_text("1.4.0")  # at once: no answer to half of it comes later
        first = palette.get_by_role("link").first
        expect(first).to_contain_text("Storefront 1.4.0")
        page.keyboard.press("ArrowDown")
        expect(first).to_be_focused()
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("/apps/storefront/releases/1.4.0/$"))


def ground(page):
    return page.evaluate("() => getComputedStyle(document.body).backgroundColor")


def test_the_dark_theme_is_kept(people, quiet):
    with people.page("stakeholder", color_scheme="light") as page:
        page.goto("/board/")
        light = ground(page)
        with page.expect_response("**/me/theme/"):
            page.get_by_role("button", name="Switch to dark theme").click()
        assert ground(page) != light
        page.goto("/audit/")
        assert page.evaluate("() => document.documentElement.dataset.theme") == "dark"
        assert ground(page) != light
        with page.expect_response("**/me/theme/"):
            page.get_by_role("button", name="Switch to light theme").click()
        assert ground(page) == light


@pytest.fixture(scope="module")
def plain(people):
    """Windows in which no script runs."""
    return lambda who: people.page(who, java_script_enabled=False)


def test_without_scripts_one_publishes_and_promotes(site, plain, tmp_path, quiet):
    application(site, "leaflet", "Leaflet")  # one of its own: what other tests brought there is no newer
    with plain("developer") as page:
        page.goto("/apps/leaflet/releases/new/")
        page.locator("#id_artifact").set_input_files(archive(tmp_path, "playground", "0.9.0"))
        page.get_by_label("Version").fill("0.9.0")
        page.get_by_role("button", name="Publish release").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Leaflet 0.9.0")
        page.get_by_role("link", name="Promote to Dev").first.click()
        page.get_by_role("button", name="Promote to Dev").click()
        expect(page).to_have_url(re.compile(r"/promotions/\d+/$"))
        number = page.url.rstrip("/").rpartition("/")[2]
        assert page.locator("noscript meta[http-equiv=refresh]").count() <= 1
        until(lambda: site.promotion(number)["status"] == "succeeded", "Leaflet 0.9.0 gets to Dev")
        page.reload()
        expect(page.locator("#promotion-head .pill")).to_have_text("Succeeded")


def test_without_scripts_one_approves_and_rejects(site, plain, quiet):
    number = site.promote("release-manager", "catalogue", "3.0.1", "live")
    with plain("business-owner") as page:
        page.goto(f"/approvals/{number}/")
        page.get_by_role("button", name="Approve").locator("visible=true").click()
        expect(page.locator("main")).to_contain_text("You approved")
    with plain("qa-engineer") as page:
        page.goto(f"/promotions/{number}/reject/")
        page.get_by_label("Why").fill("One picture is missing.")
        page.get_by_role("button", name="Reject 3.0.1").click()
        expect(page.locator("main")).to_contain_text("Rejected")
    assert site.promotion(number)["status"] == "rejected"


def test_a_lost_connection_is_said_and_comes_back(people):
    with people.context("developer") as context:
        page = context.new_page()
        page.clock.install()  # so that nobody waits for the silence to last
        page.route("**/events/**", lambda route: route.abort())
        page.goto("/board/")
        mark = page.locator("[data-sync]")
        expect(mark).to_contain_text("Updated")
        page.clock.fast_forward(11_000)
        expect(mark).to_contain_text("Reconnecting, shows")
        page.unroute("**/events/**")
        page.clock.fast_forward(6_000)
        expect(mark).to_contain_text("Updated")
        context.clear_cookies()  # the session ends elsewhere: what one sees is no longer kept true
        page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
        expect(page.locator("#ended")).to_contain_text("This page no longer updates.")
        expect(mark).to_contain_text("Stopped, shows")
        page.get_by_label("Filter applications").fill("cat")  # it goes to the door, and not the door into the board
        page.clock.fast_forward(1000)
        expect(page).to_have_url(re.compile(r"/signin/\?next=/?.*board.*cat"))
