"""A real Chromium, and what a page must never do in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, Request, Response, Route

from tests.browser.site import Site

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP, PHONE = (1440, 900), (390, 844)
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def executable() -> str:
    """The machine's Chromium; nothing when it has none."""
    named = os.environ.get("RELMAN_CHROMIUM", "")
    return named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""


def launch(playwright: Playwright) -> Browser:
    """Start it, without a window."""
    return playwright.chromium.launch(executable_path=executable(), args=FLAGS)


@dataclass
class Watch:
    """Everything that pages said or did which a person would not see: console errors, refused contents, strangers."""

    hosts: set[str]
    said: list[str] = field(default_factory=list)

    def attach(self, page: Page) -> None:
        """Listen to a page."""
        page.on("console", lambda message: self._console(page, message))
        page.on("pageerror", lambda error: self.said.append(f"{page.url}: {error}"))
        page.on("request", self._request)
        page.on("response", self._response)

    def _console(self, page: Page, message: Any) -> None:
        # Chromium writes each answer of 400 and more there too: those are looked at as answers.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.said.append(f"{page.url}: {message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        host = urlsplit(request.url).hostname or ""
        if host and host not in self.hosts and not host.endswith(".localhost"):
            self.said.append(f"A request left RelMan: {request.url}")

    def _response(self, response: Response) -> None:
        wanted = response.request.resource_type == "document"
        if response.status >= 500 or (response.status >= 400 and not wanted):
            self.said.append(f"{response.status} for {response.url}")


class People:
    """One browser in which anybody can sit down: each account signs in once."""

    def __init__(self, browser: Browser, site: Site) -> None:
        self.browser = browser
        self.site = site
        self.watch = Watch({"localhost", "127.0.0.1"})
        self.signed_in: dict[str, Any] = {}

    @contextmanager
    def page(self, who: str = "", **options: Any) -> Iterator[Page]:
        """A fresh window of that account ("": nobody). Options as of a playwright context; `size` for the viewport."""
        with self.context(who, **options) as context:
            page = context.new_page()
            self.watch.attach(page)
            yield page

    @contextmanager
    def context(self, who: str = "", *, size: tuple[int, int] = DESKTOP, **options: Any) -> Iterator[BrowserContext]:
        """Windows that share one account's cookies."""
        if who and who not in self.signed_in:
            self.signed_in[who] = self._sign_in(who)
        context = self.browser.new_context(
            base_url=self.site.url,
            viewport={"width": size[0], "height": size[1]},
            storage_state=self.signed_in.get(who),
            locale="en-GB",
            **options,
        )
        context.set_default_timeout(60_000)
        try:
            yield context
        finally:
            context.close()

    def _sign_in(self, who: str) -> Any:
        with self.context() as context:
            page = context.new_page()
            sign_in(page, self.site, who)
            return context.storage_state()


def sign_in(page: Page, site: Site, who: str, password: str = "") -> None:
    """By the sign-in page, as a person does."""
    page.goto(f"{site.url}/signin/")
    page.get_by_label("User name").fill(who)
    page.get_by_label("Password").fill(password or site.accounts[who].password)
    # A click does not wait for what it sets off, and a page that has not left yet counts as loaded.
    with page.expect_response(lambda answer: answer.request.method == "POST" and "/signin/" in answer.url):
        page.get_by_role("button", name="Sign in").click()
    page.wait_for_load_state()


@contextmanager
def slow_script(page: Page, name: str, path: str) -> Iterator[None]:
    """Open a page whose script comes only afterwards: on a slow line, people are faster than it."""
    held: list[Route] = []
    page.route(f"**/js/{name}*", lambda route: held.append(route))
    page.goto(path, wait_until="commit")
    yield
    while not held:
        page.wait_for_timeout(20)
    for route in held:
        route.continue_()
    page.unroute(f"**/js/{name}*")


def accessible(page: Page, *rules: str) -> list[str]:
    """What axe-core finds on the page as it is now, a sentence for each; by these rules, or all of WCAG 2.2 A, AA."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text())
    found = page.evaluate(
        "only => axe.run(document, {runOnly: only, resultTypes: ['violations'], preload: false})"
        ".then(r => r.violations.map(v => [v.id, v.help, v.nodes.slice(0, 3).map(n => n.html + ' | '"
        " + n.any.concat(n.all, n.none).map(c => c.message).join('; '))]))",
        {"type": "rule", "values": rules} if rules else {"type": "tag", "values": TAGS},
    )
    return [f"{name}: {text}: {node[:400]}" for name, text, nodes in found for node in nodes]


def sideways(page: Page) -> int:
    """By how many pixels the page itself scrolls sideways."""
    return int(page.evaluate("() => document.scrollingElement.scrollWidth - document.documentElement.clientWidth"))
