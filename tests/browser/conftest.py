"""One running RelMan and one Chromium for the whole folder."""

import os

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser.chromium import People, executable, launch
from tests.browser.populate import application, numbers, populate
from tests.browser.running import START, running_site

expect.set_options(timeout=60_000)


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))
            item.add_marker(pytest.mark.timeout(START + 120))


# A package's fixture ends with the folder: Django's tests after it want no event loop around them.
@pytest.fixture(scope="package")
def site(tmp_path_factory):
    if not executable():
        reason = "There is no Chromium here. Install the package chromium, or name it in RELMAN_CHROMIUM."
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with running_site() as running:
        populate(running, tmp_path_factory.mktemp("archives"))
        application(running, "journey", "Journey")
        yield running


@pytest.fixture(scope="package")
def people(site):
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield People(browser, site)
        browser.close()


@pytest.fixture(scope="package")
def known(site):
    """Promotions by what became of them."""
    return numbers(site)


@pytest.fixture
def quiet(people):
    """Nothing went wrong behind the page: no console error, no refused content, no request to a stranger."""
    people.watch.said.clear()
    yield
    assert people.watch.said == []
