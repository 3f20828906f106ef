"""Doors and rights, as people meet them."""

import re

from playwright.sync_api import expect

from tests.browser.chromium import sign_in
from tests.browser.site import Account


def test_a_wrong_password_says_so_and_keeps_the_name(site, people, quiet):
    with people.page() as page:
        page.goto("/board/")
        expect(page).to_have_url(re.compile(r"/signin/\?next=/board/"))
        sign_in(page, site, "developer", "not this one")
        said = re.compile(r"^\s*The user name or the password is wrong\. \d tries left\.\s*$")
        expect(page.locator(".error")).to_have_text(said)
        expect(page.get_by_label("User name")).to_have_value("developer")
        expect(page.get_by_label("Password")).to_have_value("")
        page.get_by_label("Password").fill(site.accounts["developer"].password)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Release board")


def test_signing_out_ends_the_way_into_every_environment(site, people, quiet):
    address = site.address("catalogue", "qa")
    with people.page() as page:
        page.goto(address)
        expect(page).to_have_url(re.compile(rf"^{re.escape(site.url)}/signin/"))
        page.get_by_label("User name").fill("developer")
        page.get_by_label("Password").fill(site.accounts["developer"].password)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(address)
        expect(page.locator("body")).to_contain_text("3.0.1")
        page.goto(f"{site.url}/me/")
        page.get_by_role("button", name="Sign out").click()
        expect(page.locator("main")).to_contain_text("You are signed out here")
        page.goto(address)
        expect(page).to_have_url(re.compile(r"/signin/"))


def choose(page, field, text):
    """Type into one of admin's searching fields, and take what it offers."""
    page.locator(f".field-{field} .select2-selection").click()
    page.locator(".select2-search__field").fill(text)
    page.locator(".select2-results__option--highlighted", has_text=text).click()


def grant(page, who, role, phase=""):
    """Give a role in the Shop pipeline, in Django's admin."""
    page.goto("/admin/phases/grant/add/")
    choose(page, "user", who)
    choose(page, "role", role)
    page.locator("#id_pipeline").select_option("Shop")
    if phase:
        page.locator("#id_phase").select_option(f"Shop: {phase}")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist .success").first).to_be_visible()


def revoke(page, who, role):
    """Take every grant of that role away again."""
    page.goto(f"/admin/phases/grant/?q={who}")
    rows = page.locator("#result_list tbody tr").filter(has_text=role)
    while rows.count():
        rows.first.get_by_role("link").first.click()
        page.get_by_role("link", name="Delete").click()
        page.get_by_role("button", name=re.compile("Yes")).click()
        expect(page.locator(".messagelist .success").first).to_be_visible()
        page.goto(f"/admin/phases/grant/?q={who}")


def newcomer(admin, site):
    """An account without any role, made in Django's admin."""
    admin.goto("/admin/phases/user/add/")
    admin.locator("#id_username").fill("newcomer")
    admin.locator("#id_name").fill("Nora Newcomer")
    for field in ("password1", "password2"):
        admin.locator(f"#id_{field}").fill("a-long-way-to-go-7")
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(admin.locator(".messagelist .success")).to_be_visible()
    site.accounts["newcomer"] = Account("newcomer", "a-long-way-to-go-7", "")


def test_a_role_counts_from_the_next_click_and_ends_with_the_next_click(site, people, quiet):
    with people.page("admin") as admin, people.page() as page:
        newcomer(admin, site)
        sign_in(page, site, "newcomer")
        expect(page.locator("main")).to_contain_text("You cannot see any application yet")
        assert page.goto("/apps/storefront/").status == 404
        page.goto("/me/")
        page.get_by_label("What it is for").fill("Laptop")
        page.get_by_role("button", name="New token").click()
        token = page.locator(".note.ok code").inner_text()
        site.accounts["newcomer"] = Account("newcomer", "", token)
        assert site.call("newcomer", "GET", "applications/storefront/")[0] == 404

        grant(admin, "newcomer", "Stakeholder")
        assert page.goto("/apps/storefront/").status == 200
        assert site.call("newcomer", "GET", "applications/storefront/")[0] == 200
        assert page.goto("/apps/storefront/qa/promote/?version=1.5.0-rc.1").status == 403
        expect(page.locator("main")).to_contain_text("QA engineer")
        wish = {"application": "storefront", "version": "1.5.0-rc.1", "phase": "qa"}
        assert site.call("newcomer", "POST", "promotions/", wish)[0] == 403

        grant(admin, "newcomer", "QA engineer", "QA")
        assert page.goto("/apps/storefront/qa/promote/?version=1.5.0-rc.1").status == 200
        expect(page.get_by_role("button", name="Promote to QA")).to_be_visible()

        revoke(admin, "newcomer", "QA engineer")
        page.get_by_role("button", name="Promote to QA").click()
        expect(page.locator("main")).to_contain_text("QA engineer")
        assert site.call("newcomer", "POST", "promotions/", wish)[0] == 403
        revoke(admin, "newcomer", "Stakeholder")
        assert page.goto("/apps/storefront/").status == 404
        assert site.call("newcomer", "GET", "applications/storefront/")[0] == 404
