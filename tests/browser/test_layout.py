"""How pages lie: text of any length, size and direction fits; nothing jumps; the first view is small."""

import re
import time

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import DESKTOP, PHONE, sideways, slow_script
from tests.browser.populate import LONG_SLUG, LONG_VERSION, application
from tests.browser.site import archive

WIDTHS = (320, 390, 560, 768, 861, 1024, 1180, 1301, 1440, 1920)
MAIN = {
    "board": ("release-manager", "/board/"),
    "applications": ("release-manager", "/apps/"),
    "application": ("release-manager", "/apps/storefront/"),
    "application-long": ("release-manager", f"/apps/{LONG_SLUG}/"),
    "release": ("release-manager", "/apps/storefront/releases/1.4.0/"),
    "release-long": ("release-manager", f"/apps/{LONG_SLUG}/releases/{LONG_VERSION}/"),
    "promotion": ("release-manager", "/promotions/{done}/"),
    "approvals": ("business-owner", "/approvals/"),
    "approve": ("business-owner", "/approvals/{waiting}/"),
    "environment": ("devops", "/apps/storefront/live/"),
    "audit": ("release-manager", "/audit/"),
    "sign-in": ("", "/signin/"),
}
RIGHT_TO_LEFT = """() => {
  document.documentElement.dir = "rtl";
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode;
    if (text.data.trim().length > 3 && !text.parentElement.closest("code, time, script, style, pre, .mono"))
      text.data = text.data.replace(/[a-z]+/gi, (word) => "שחרורהגרסהלייצור".repeat(3).slice(0, word.length));
  }
}"""
TWICE = "() => { document.documentElement.style.fontSize = '200%'; }"
WATCH_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries())
    if (!entry.hadRecentInput)
      window.shifts.push([entry.value, ...entry.sources.map((one) => one.node?.id || one.node?.className)]);
}).observe({ type: "layout-shift", buffered: true });
"""
MOST_SHIFT = 0.01


@pytest.mark.parametrize("change", [RIGHT_TO_LEFT, TWICE], ids=["right-to-left", "text-of-200-percent"])
@pytest.mark.parametrize("name", MAIN)
def test_nothing_scrolls_sideways(name, change, people, known, quiet):
    who, path = MAIN[name]
    with people.page(who, reduced_motion="reduce") as page:
        page.goto(path.format(**known))
        page.evaluate(change)
        found = {}
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            if by := sideways(page):
                found[width] = by
        assert not found, f"{name} scrolls sideways, by width: {found}"


def test_the_people_of_a_role_fit_beside_or_below_each_other(people, quiet):
    too_wide = "() => [...document.querySelectorAll('.tabular')].some((one) => one.scrollWidth > one.clientWidth)"
    with people.page("admin", reduced_motion="reduce") as page:
        page.goto("/admin/phases/role/1/change/")
        shown = page.locator(".tabular tr.has_original").first.locator("td.field-phase")
        for change in ("() => {}", TWICE):
            page.evaluate(change)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                assert not page.evaluate(too_wide) and not sideways(page), width
        beside = shown.evaluate("(cell) => getComputedStyle(cell, '::before').content")
        assert beside == '"Phase"', "at 200 % each row is a card, and names its fields"


def settled(page):
    """Wait until the fonts are there and the page lies still."""
    page.evaluate("() => document.fonts.ready.then(() => new Promise((done) => requestAnimationFrame(() => done())))")


@pytest.fixture
def build(site, tmp_path):
    """Publishes the next release of Shelf, which nobody has brought anywhere."""
    application(site, "shelf", "Shelf")

    def publish():
        version = f"1.0.{time.time_ns() // 1_000_000}"
        site.publish("shelf", version, archive(tmp_path, "playground", version))
        return version

    return publish


def late(route):
    """Let it go on, after a while."""
    time.sleep(0.7)
    route.continue_()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("path", ["/board/", "/apps/shelf/releases/{version}/"], ids=["board", "release"])
def test_nothing_jumps_while_it_loads_and_when_something_moves(path, size, site, people, build, quiet):
    version = build()
    with people.page("release-manager", size=size, reduced_motion="reduce") as page:
        page.add_init_script(WATCH_SHIFTS)
        if size == PHONE:  # a slow line: the letters come long after the page
            page.route("**/*.woff2*", late)
        page.goto(path.format(version=version))
        settled(page)
        number = site.promote("developer", "shelf", version, "dev")
        moved = page.locator("#tile-shelf-dev", has_text=version) if path == "/board/" else page.locator("main")
        expect(moved).to_contain_text(version if path == "/board/" else "asked to bring")
        site.await_end(number, "succeeded")
        expect(page.locator("main")).to_contain_text(version if path == "/board/" else f"{version} serves Dev")
        settled(page)
        shifts = page.evaluate("() => window.shifts")
        assert sum(one[0] for one in shifts) < MOST_SHIFT, shifts


def test_filters_and_pages_keep_their_place(site, people, tmp_path, quiet):
    many_releases(site, tmp_path)
    with people.page("release-manager", size=(1440, 400)) as page:
        page.goto("/board/?density=compact")
        box = page.get_by_label("Filter applications")
        box.focus()
        page.evaluate("() => scrollTo(0, 40)")
        page.keyboard.type("o")
        expect(page).to_have_url(re.compile("q=o"))
        expect(box).to_be_focused()
        assert page.evaluate("() => scrollY") == 40
        assert "density=compact" in page.url
        page.keyboard.insert_text("rder")  # at once: each pause while one types is a step of its own on the way back
        expect(page).to_have_url(re.compile("q=order"))
        expect(page.locator("[data-row]")).to_have_count(1)
        page.reload()
        expect(box).to_have_value("order")
        expect(page.locator("[data-row]")).to_have_count(1)
        page.go_back()
        expect(page.locator("[data-row]").nth(1)).to_be_attached()
        with slow_script(page, "page", "/board/"):
            box.fill("catalogue")
        expect(page.locator("[data-row]")).to_have_count(1)
        page.goto("/apps/many/releases/")
        page.get_by_label("Find a release").fill("1.")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"q=1\."))
        expect(page.locator("[data-row]")).to_have_count(50)
        page.get_by_role("link", name="Next page").click()
        expect(page).to_have_url(re.compile(r"\?(?=.*q=1\.)(?=.*page=2)"))
        page.locator("[data-row] a").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Many 1.0.0")
        page.go_back()
        expect(page.get_by_label("Find a release")).to_have_value("1.")
        expect(page.locator("[data-row]")).to_have_count(1)
        page.get_by_role("link", name="Earlier page").click()
        expect(page.locator("[data-row]")).to_have_count(50)


def many_releases(site, folder):
    """One more than a page holds, of an application that goes nowhere."""
    status, _ = site.call("admin", "POST", "applications/", {"slug": "many", "name": "Many", "pipeline": "shop"})
    if status == 409:
        return  # a site that is used again
    small = archive(folder, "playground", "1.0.0")
    for number in range(51):
        site.publish("many", f"1.{number}.0", small)
