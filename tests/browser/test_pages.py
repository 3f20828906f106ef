"""Every page in both themes and sizes: axe-core finds nothing, nothing scrolls sideways, the console is silent."""

import pytest

from tests.browser.chromium import DESKTOP, PHONE, accessible, sideways
from tests.browser.conftest import LONG_SLUG, LONG_VERSION

WIDTHS = (320, 390, 768, 1024, 1440, 1920)
WAITING, FAILED, DONE = "waiting", "failed", "done"
PAGES = {
    "sign-in": ("", "/signin/"),
    "board": ("release-manager", "/board/"),
    "board, compact": ("release-manager", "/board/?density=compact"),
    "board, filtered to nothing": ("release-manager", "/board/?q=nothing"),
    "board, administrator": ("admin", "/board/"),
    "approvals": ("business-owner", "/approvals/"),
    "approvals, decided": ("qa-engineer", "/approvals/?tab=decided"),
    "approve": ("business-owner", f"/approvals/{WAITING}/"),
    "approve, read only": ("developer", f"/approvals/{WAITING}/"),
    "approve, confirm": ("business-owner", f"/approvals/{WAITING}/confirm/"),
    "reject": ("business-owner", f"/promotions/{WAITING}/reject/"),
    "applications": ("developer", "/apps/"),
    "application": ("developer", "/apps/storefront/"),
    "application, long": ("developer", f"/apps/{LONG_SLUG}/"),
    "application, without a release": ("developer", "/apps/playground/"),
    "releases": ("developer", "/apps/storefront/releases/"),
    "release": ("developer", "/apps/storefront/releases/1.4.0/"),
    "release, long": ("developer", f"/apps/{LONG_SLUG}/releases/{LONG_VERSION}/"),
    "compare": ("developer", "/apps/storefront/releases/compare/1.3.0...1.4.0/"),
    "new release": ("developer", "/apps/storefront/releases/new/"),
    "new release, of which": ("developer", "/releases/new/"),
    "promotion, waiting": ("release-manager", f"/promotions/{WAITING}/"),
    "promotion, failed": ("release-manager", f"/promotions/{FAILED}/"),
    "promotion, done": ("release-manager", f"/promotions/{DONE}/"),
    "environment": ("devops", "/apps/storefront/live/"),
    "environment, long": ("devops", f"/apps/{LONG_SLUG}/qa/"),
    "environment, empty": ("devops", "/apps/playground/dev/"),
    "configuration": ("devops", "/apps/storefront/live/configuration/"),
    "promote": ("qa-engineer", "/apps/storefront/qa/promote/?version=1.5.0-rc.1"),
    "promote, refused": ("qa-engineer", "/apps/storefront/stage/promote/?version=1.5.0-rc.1"),
    "roll back": ("devops", "/apps/storefront/live/rollback/"),
    "lock": ("devops", "/apps/storefront/live/lock/"),
    "pipeline": ("release-manager", "/pipelines/shop/"),
    "phase": ("devops", "/pipelines/shop/live/"),
    "new application": ("admin", "/apps/new/"),
    "new pipeline": ("admin", "/pipelines/new/"),
    "edit phase": ("admin", "/pipelines/shop/live/edit/"),
    "audit trail": ("release-manager", "/audit/"),
    "search": ("release-manager", "/search/?q=store"),
    "profile": ("developer", "/me/"),
    "help": ("developer", "/help/"),
    "more": ("developer", "/more/"),
    "not found": ("developer", "/apps/nothing/"),
    "API": ("developer", "/api/docs/"),
    "admin": ("admin", "/admin/"),
    "admin, roles": ("admin", "/admin/phases/role/"),
    "admin, one role": ("admin", "/admin/phases/role/1/change/"),
    "admin, grants": ("admin", "/admin/phases/grant/"),
    "admin, new grant": ("admin", "/admin/phases/grant/add/"),
    "admin, people": ("admin", "/admin/phases/user/"),
    "admin, rules": ("admin", "/admin/phases/rule/"),
    "admin, events": ("admin", "/admin/audit/event/"),
}


@pytest.fixture(scope="module")
def numbers(site):
    """The seeded promotions by what became of them."""
    rows = site.ask("release-manager", "GET", "promotions/?application=payments")["results"]
    failed = next(row["id"] for row in rows if row["status"] == "failed")
    done = next(row["id"] for row in rows if row["status"] == "succeeded")
    return {WAITING: str(site.waiting("storefront", "live")), FAILED: str(failed), DONE: str(done)}


def fill(path, numbers):
    """The path with the numbers of this run."""
    for word, number in numbers.items():
        path = path.replace(f"/{word}/", f"/{number}/")
    return path


@pytest.mark.parametrize("name", PAGES)
def test_page(name, people, numbers, quiet):
    who, path = PAGES[name]
    # Colours are measured at rest: a change of theme would still be on its way otherwise.
    with people.page(who, reduced_motion="reduce") as page:
        answer = page.goto(fill(path, numbers))
        assert answer.status == (404 if name == "not found" else 200)
        found = []
        for theme, rules in (("light", ()), ("dark", ("color-contrast",))):  # the theme changes nothing but colours
            page.emulate_media(color_scheme=theme)
            for size in (DESKTOP, PHONE):
                page.set_viewport_size({"width": size[0], "height": size[1]})
                found += [f"{theme} {size[0]}: {one}" for one in accessible(page, *rules)]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            if by := sideways(page):
                found.append(f"{width}: scrolls sideways by {by} px")
        assert page.title().endswith(("RelMan", "RelMan administration"))
        assert not found, "\n".join(found)
