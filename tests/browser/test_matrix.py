"""The matrix of a pipeline, as who manages access uses it."""

import re

from playwright.sync_api import expect

from tests.browser.chromium import PHONE, accessible, slow_script

MATRIX = "/admin/phases/pipeline/shop/roles/"


def row(page, role):
    return page.locator("tbody").filter(has=page.get_by_role("rowheader", name=role, exact=True))


def add(page, role, who, where):
    """Give somebody a role, by keyboard where that is how people do it."""
    row(page, role).get_by_label("Add a person or group to").click()
    row(page, role).get_by_label("Person or group", exact=True).fill(who)
    row(page, role).get_by_label("Where").select_option(where)
    page.keyboard.press("Tab")
    page.get_by_role("button", name=f"Add to {role}").click()


def test_somebody_gets_the_right_to_approve_into_live(people, quiet):
    with people.page("devops") as page:
        page.goto("/pipelines/shop/")
        page.get_by_role("link", name="Roles", exact=True).click()
        add(page, "Business owner", "Release manager (release-manager)", "Live only")
        bar = page.locator("#rmx-bar")
        expect(bar).to_contain_text("Release manager joins Business owner in Live.")
        expect(bar).to_contain_text("The rule business of Live can then be met by 2 people.")
        assert not accessible(page)
        page.get_by_role("button", name="Save 1 change").click()
        expect(page.locator(".messagelist")).to_contain_text("Release manager joins Business owner in Live.")

        page.get_by_label("Remove Release manager from Business owner").check(force=True)
        expect(bar).to_contain_text("Release manager leaves Business owner in Live.")
        page.get_by_role("button", name="Save 1 change").click()
        expect(page.locator(".messagelist")).to_contain_text("leaves Business owner in Live.")


def test_what_nobody_could_approve_is_not_saved(people, quiet):
    with people.page("devops", size=PHONE) as page:
        with slow_script(page, "matrix", f"{MATRIX}?phase=live"):
            page.get_by_label("Remove Business owner from Business owner").check(force=True)
        expect(page.locator("#rmx-bar li.bad")).to_contain_text("Nobody can meet the rule business of Live")
        expect(page.get_by_role("button", name="Save 1 change")).to_be_disabled()
        page.locator("#rmx-bar").get_by_role("button", name=re.compile("Undo")).click()
        expect(page.locator("#rmx-bar")).to_be_hidden()
        expect(page.get_by_label("Remove Business owner from Business owner")).not_to_be_checked()


def test_without_scripts_it_takes_two_steps(people, quiet):
    with people.page("devops", size=PHONE, java_script_enabled=False) as page:
        page.goto(f"{MATRIX}?phase=stage")
        page.get_by_label("Developer may sign off in Stage").check()
        page.locator("#rmx-bar").get_by_role("button", name="Review changes").click()
        expect(page.locator("#rmx-bar")).to_contain_text("Developer may then sign off tests and checklists in Stage.")
        page.get_by_role("button", name="Discard all").or_(page.get_by_role("link", name="Discard all")).click()
        expect(page.get_by_label("Developer may sign off in Stage")).not_to_be_checked()
