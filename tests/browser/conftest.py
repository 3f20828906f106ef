"""One running RelMan and one Chromium for the whole folder."""

import os
import signal
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser.chromium import People, executable, launch
from tests.browser.site import Site, archive
from tests.installation import Installation, free_ports, wait_until

START = 300
"""Seconds that start and seeding may take, while other tests keep the machine busy."""
LONG_NAME, LONG_SLUG = "Refunds and Chargebacks Orchestrator for Marketplaces", "refunds-and-chargebacks-orchestrator"
LONG_VERSION = "1.9.0-beta.12+build.20260616.3"


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
        reason = "There is no Chromium here. Install the package chromium, or say where it is with RELMAN_CHROMIUM."
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    running = os.environ.get("BROWSER_SITE", "")
    if running:  # home:port:gateway port of a demo that runs already, for whoever writes these tests
        home, port, gateway_port = running.split(":")
        yield prepared(Site(Path(home), int(port), int(gateway_port)), tmp_path_factory.mktemp("archives"))
        return
    place = Installation(tmp_path_factory.mktemp("browser") / "relman", *free_ports(), demo=True)
    try:
        place.start(START)
        archives = tmp_path_factory.mktemp("archives")
        yield prepared(Site(place.home, place.port, place.gateway_port), archives)
    finally:
        if place.process is not None and place.process.poll() is None:
            place.end(signal.SIGTERM)
            wait_until(lambda: not place.processes(), 20)


QUICK = {"verify": {"passes": 2, "interval": 0.2, "within": 30}, "drain": 0}


def application(site, slug, name, *phases):
    """An application whose promotions are over in a moment, with places in these phases."""
    made = {"slug": slug, "name": name, "pipeline": "shop", "description": "For the journeys."}
    status, answer = site.call("admin", "POST", "applications/", made)
    if status == 409:
        return
    assert status == 201, answer
    for phase in phases:
        place = {"application": slug, "phase": phase, "settings": QUICK}
        site.ask("devops", "POST", "environments/", place)


def prepared(site, folder):
    """The demo, one application for the journeys, and one whose names are as long as names get."""
    application(site, "journey", "Journey", "dev", "qa", "stage", "live")
    application(site, LONG_SLUG, LONG_NAME, "dev", "qa", "stage", "live")
    if site.call("devops", "GET", f"applications/{LONG_SLUG}/releases/{LONG_VERSION}/")[0] == 404:
        site.publish(LONG_SLUG, LONG_VERSION, archive(folder, "playground", LONG_VERSION), notes="A long way. " * 12)
        site.bring(LONG_SLUG, LONG_VERSION, "dev", "qa")
    return site


@pytest.fixture(scope="package")
def people(site):
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield People(browser, site)
        browser.close()


@pytest.fixture
def quiet(people):
    """Nothing went wrong behind the page: no console error, no refused content, no request to a stranger."""
    people.watch.said.clear()
    yield
    assert people.watch.said == []


expect.set_options(timeout=30_000)
