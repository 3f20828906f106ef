"""What people do with RelMan, from the first click to the last."""

import re

from playwright.sync_api import expect

from tests.browser.chromium import slow_script
from tests.browser.site import archive, until


def press(page, name):
    """Follow a link that opens a dialog, and press the button of the same name in it."""
    page.get_by_role("link", name=name).first.click()
    page.get_by_role("dialog").get_by_role("button", name=name).click()
    page.wait_for_url(re.compile(r"/promotions/\d+/$"))


def watched(page):
    """Leave a mark that a new page would not have."""
    page.evaluate("() => { window.sameVisit = true; }")


def not_reloaded(page):
    return page.evaluate("() => window.sameVisit === true")


def counted(page):
    """What the board's filters say they hold."""
    return page.locator("[data-count]").all_inner_texts()


def state(page):
    """The pill beside the page's title."""
    return page.locator("#promotion-head .pill")


def promote(page, phase, done=True):
    """From the release's page into the next phase; watch it without touching anything."""
    page.goto("/apps/journey/releases/1.0.0/")
    press(page, f"Promote to {phase}")
    watched(page)
    if done:
        expect(state(page)).to_have_text("Succeeded")
        assert not_reloaded(page)
        expect(page.locator("#prog")).to_contain_text("steps done")


def test_from_an_archive_to_live(site, people, tmp_path, quiet):
    with (
        people.page("developer") as developer,
        people.page("qa-engineer") as tester,
        people.page("release-manager") as manager,
        people.page("business-owner") as owner,
    ):
        manager.goto("/board/")
        watched(manager)
        developer.goto("/apps/journey/")
        developer.get_by_role("link", name="New release").first.click()
        developer.locator("#id_artifact").set_input_files(archive(tmp_path, "playground", "1.0.0"))
        expect(developer.get_by_label("Version")).to_have_value("1.0.0")
        developer.get_by_label("Notes").fill("The first one.")
        developer.get_by_role("button", name="Publish release").click()
        expect(developer.get_by_role("heading", level=1)).to_have_text("Journey 1.0.0")

        promote(developer, "Dev")
        expect(manager.locator("#tile-journey-dev")).to_contain_text("1.0.0")
        promote(tester, "QA")
        promote(tester, "Stage")
        expect(manager.locator("#tile-journey-stage")).to_contain_text("1.0.0")
        with people.page("release-manager") as fresh:
            fresh.goto("/board/")
            until(lambda: bool(fresh.reload()) and counted(manager) == counted(fresh), "filters count what they show")
        assert not_reloaded(manager)
        assert site.serves("journey", "stage") == "1.0.0"

        promote(manager, "Live", done=False)
        expect(state(manager)).to_contain_text("Waiting")
        expect(manager.locator("#promotion-body")).to_contain_text("Business owner")

        number = manager.url.rstrip("/").rpartition("/")[2]
        tester.goto(f"/approvals/{number}/")
        tester.get_by_label("Comment").locator("visible=true").fill("Seen in Stage.")
        tester.get_by_label("Comment").locator("visible=true").blur()

        owner.goto("/")
        expect(owner).to_have_url(re.compile(r"/approvals/$"))
        owner.get_by_role("link", name="Review Journey 1.0.0").click()
        owner.get_by_role("button", name="Approve").locator("visible=true").click()
        expect(owner.locator("#decide")).to_contain_text("You approved")
        expect(manager.locator("#promotion-body")).to_contain_text(re.compile("Business owner"))

        expect(tester.locator("#decide")).to_contain_text("1 of 2 have approved")
        expect(tester.get_by_label("Comment").locator("visible=true")).to_have_value("Seen in Stage.")
        tester.get_by_role("button", name="Approve").locator("visible=true").click()
        expect(state(manager)).to_have_text("Succeeded")
        assert not_reloaded(manager)
        assert manager.title().startswith("Journey 1.0.0 to Live")
        assert "done" in manager.locator("#favicon").get_attribute("href")

        owner.goto(site.address("journey", "live"))
        expect(owner.locator("body")).to_contain_text("1.0.0")
        shown = site.ask("developer", "GET", "environments/journey/live/")
        assert (shown["version"], shown["health"]) == ("1.0.0", "healthy")


def asked_again(site):
    """A promotion that waits for the same decisions as a new version: Catalogue once more to Live."""
    return site.promote("release-manager", "catalogue", "3.0.1", "live")


def test_reject_with_a_comment(site, people, quiet):
    number = asked_again(site)
    with people.page("business-owner") as owner, people.page("release-manager") as manager:
        manager.goto(f"/promotions/{number}/")
        watched(manager)
        live = manager.locator("#dot-shop-live [role=img]")
        was = str(live.get_attribute("aria-label"))
        owner.goto(f"/approvals/{number}/")
        owner.get_by_role("button", name="Reject").click()
        expect(owner.locator("#decision .error")).to_be_visible()
        assert site.promotion(number)["status"] == "waiting"
        owner.get_by_label("Comment").locator("visible=true").fill("The prices are last year's.")
        owner.get_by_role("button", name="Reject").click()
        expect(owner.locator("main")).to_contain_text("Rejected")
        expect(state(manager)).to_have_text("Rejected")
        expect(manager.locator("#promotion-body")).to_contain_text("The prices are last year's.")
        expect(live).not_to_have_attribute("aria-label", was)
        assert not_reloaded(manager)
    assert site.promotion(number)["status"] == "rejected"


def test_a_phone_decides_with_the_bar_at_the_foot(site, people, quiet):
    number = asked_again(site)
    with people.page("business-owner", size=(390, 844), has_touch=True) as phone:
        phone.goto(f"/approvals/{number}/")
        dock = phone.get_by_role("region", name="Approve or reject")
        expect(dock).to_be_in_viewport()
        dock.get_by_role("link", name="Approve").click()
        sheet = phone.get_by_role("dialog")
        expect(sheet).to_contain_text("Approve Catalogue 3.0.1 for Live?")
        sheet.get_by_role("link", name="Cancel").click()
        expect(sheet).to_be_hidden()
        dock.get_by_role("link", name="Reject").click()
        phone.get_by_role("dialog").get_by_label("Why").fill("Not today.")
        phone.get_by_role("dialog").get_by_role("button", name="Reject 3.0.1").click()
        expect(phone.locator("main")).to_contain_text("Rejected")
    assert site.promotion(number)["status"] == "rejected"


def test_an_approval_is_withdrawn(site, people, quiet):
    number = asked_again(site)
    with people.page("business-owner") as owner:
        owner.goto(f"/approvals/{number}/")
        owner.get_by_role("button", name="Approve").locator("visible=true").click()
        owner.get_by_role("button", name="Withdraw my approval").click()
        expect(owner.locator("#decide")).to_contain_text("Waiting for your decision")
    site.ask("release-manager", "POST", f"promotions/{number}/cancel/", {})


def test_a_blocked_promotion_says_why_and_who(site, people, quiet):
    with people.page("qa-engineer") as tester:
        tester.goto("/apps/storefront/stage/promote/?version=1.5.0-rc.1")
        refusal = tester.locator(".gate .fail")
        expect(refusal).to_contain_text(["QA"])
        expect(tester.locator("main")).to_contain_text("It cannot be promoted now.")
        expect(tester.get_by_role("button", name="Promote to Stage")).to_have_count(0)

    site.ask("devops", "POST", "environments/catalogue/dev/lock/", {"reason": "The disks are being changed."})
    try:
        with people.page("developer") as developer:
            developer.goto("/apps/catalogue/dev/promote/?version=3.0.1")
            held = developer.locator(".gate .wait").filter(has_text="Lock")
            expect(held).to_contain_text("The disks are being changed.")
            expect(held).to_contain_text("DevOps")
            developer.goto("/apps/catalogue/dev/")
            expect(developer.locator("main")).to_contain_text("Locked by DevOps")
    finally:
        site.ask("devops", "POST", "environments/catalogue/dev/unlock/", {})


def test_a_refused_archive_says_what_is_wrong_with_it(people, tmp_path, quiet):
    broken = tmp_path / "storefront-9.9.9.tar.gz"
    broken.write_bytes(b"this is no archive")
    with people.page("developer") as page:
        with slow_script(page, "upload", "/apps/journey/releases/new/"):
            page.locator("#id_artifact").set_input_files(broken)
            expect(page.get_by_label("Version")).to_have_value("")
        expect(page.get_by_label("Version")).to_have_value("9.9.9")
        page.get_by_role("button", name="Publish release").click()
        expect(page.get_by_role("alert").first).to_be_visible()
        expect(page.get_by_label("Version")).to_have_value("9.9.9")
        changes_are_rows_and_the_manifest_is_read(page, archive(tmp_path, "payments", "0.1.0"))
    people.watch.said[:] = [line for line in people.watch.said if line[:3] not in ("400", "422")]


def changes_are_rows_and_the_manifest_is_read(page, good):
    """Before a byte of the archive is sent; and a refused form keeps the rows and the archive."""
    titles = page.get_by_placeholder("What people notice")
    page.get_by_role("button", name="Add change").click()
    expect(titles).to_have_count(3)
    expect(titles.last).to_be_focused()
    titles.last.fill("Gift cards")
    page.get_by_role("button", name="Remove change 1").click()
    expect(titles).to_have_count(2)
    expect(page.get_by_label("Ticket of change 2")).to_be_visible()
    page.locator("#id_artifact").set_input_files(good)
    manifest = page.locator("#manifest")
    expect(manifest).to_contain_text("Read from the manifest")
    expect(manifest).to_contain_text("/healthz")
    page.get_by_placeholder("Ticket").first.fill("J-1")
    page.get_by_role("button", name="Publish release").click()
    expect(page.get_by_role("alert").first).to_contain_text("Change 1")
    expect(titles.nth(1)).to_have_value("Gift cards")
    expect(page.locator("[data-file-name]")).to_contain_text(good.name)


def test_the_log_follows_finds_and_is_downloaded(site, people, quiet):
    number = site.ask("developer", "GET", "promotions/?application=payments")["results"][0]["id"]
    with people.page("developer") as page:
        page.goto(f"/promotions/{number}/")
        lines = page.locator("#log-lines li")
        expect(lines.first).to_be_visible()
        word = lines.first.locator("span").last.inner_text().split()[0]
        page.get_by_label("Find in log").fill(word)
        assert page.locator("#log-lines li:visible").count() >= 1
        with page.expect_download() as download:
            page.get_by_role("link", name="Download log").click()
        assert word in download.value.path().read_text()


def test_rolling_back(site, people, quiet):
    with people.page("devops") as page:
        page.goto("/apps/storefront/qa/")
        expect(page.locator("main")).to_contain_text("1.4.0")
        page.get_by_role("link", name="Roll back to 1.3.0").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("From 1.4.0 to 1.3.0.")
        expect(dialog.get_by_label("Reason")).to_be_focused()  # two clicks and a reason
        page.keyboard.type("Search is slow.")
        dialog.get_by_role("button", name=re.compile("^Roll back")).click()
        page.wait_for_url(re.compile(r"/promotions/\d+/$"))
        expect(state(page)).to_have_text("Succeeded")
    until(lambda: site.serves("storefront", "qa") == "1.3.0", "QA serves 1.3.0 again")
