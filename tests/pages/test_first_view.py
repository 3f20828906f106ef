"""The first view of a big board: under 150 KB over the wire, fonts included, from a real server to a real Chromium."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from tests.bench.seed import Size, fill
from tests.browser.chromium import DESKTOP, executable, launch
from tests.web import database_url, web

MOST = 150 * 1000
"""Bytes, heads of the answers included."""


@pytest.fixture
def big(transactional_db, tmp_path):
    """A house of 200 applications and a web process in it; the port, and a release manager's cookie."""
    reader = fill(Size(200, 2000, 4000))
    browser = Client()
    browser.force_login(reader)
    variables = {"DATABASE_URL": database_url(connection.settings_dict), "RELMAN_DATABASE_POOL": "4"}
    with web(variables, tmp_path / "web.log") as server:
        yield server.port, browser.cookies[settings.SESSION_COOKIE_NAME].value


def first_view(port, cookie):
    """What a browser that was never here fetches for the board: address -> bytes. In a thread: no event loop stays."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright)
        context = browser.new_context(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
        context.set_default_timeout(60_000)
        site = f"http://localhost:{port}"
        context.add_cookies([{"name": f"relman_session_{port}", "value": cookie, "url": site}])
        page = context.new_page()
        wire = context.new_cdp_session(page)
        wire.send("Network.enable")
        asked, found = {}, {}
        wire.on("Network.requestWillBeSent", lambda event: asked.update({event["requestId"]: event["request"]["url"]}))
        wire.on(
            "Network.loadingFinished",
            lambda event: found.update({asked.get(event["requestId"], "?"): event["encodedDataLength"]}),
        )
        page.goto(f"{site}/board/")
        rows = page.locator("[data-row]").count()
        page.evaluate("() => document.fonts.ready.then(() => null)")
        page.wait_for_load_state("load")
        page.wait_for_function("() => document.querySelector('[data-sync-at]')?.textContent")
        browser.close()
    return rows, found


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_the_first_view_of_200_applications(big):
    if not executable():
        reason = "There is no Chromium here. Install the package chromium, or name it in RELMAN_CHROMIUM."
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with ThreadPoolExecutor(1) as thread:
        rows, found = thread.submit(first_view, *big).result(170)
    assert rows == 50
    sizes = {url.partition("localhost:")[2].partition("/")[2]: round(size) for url, size in found.items()}
    assert any(name.endswith(".woff2") for name in sizes)
    assert sum(sizes.values()) < MOST, sizes
