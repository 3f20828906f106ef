"""One HTTP client for the whole command: tokens, idempotency, a few retries with growing waits, sentences for errors.

Written on `http.client` and not on `urllib.request`, because an upload must be able to notice that the server
has already answered (413, 401) while most of the file is still on this side.
"""

from __future__ import annotations

import http.client
import json
import random
import uuid
from collections.abc import Callable, Iterator, Mapping
from time import sleep
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from relman.cli import exits
from relman.cli.failure import Failure, from_problem, usage
from relman.cli.wire import Answer, Body, JsonBody, Place, attempt

WAITS = (0.5, 1.0, 2.0, 4.0)  # seconds before tries two to five; there is no sixth
AGAIN = frozenset({429, 502, 503, 504})
LONGEST_WAIT = 60.0  # seconds; when RelMan asks for more, the person decides
MOST_PAGES = 200

Json = dict[str, Any]


class Client:
    """Speaks to one RelMan. Every method returns the decoded answer, or raises `Failure` with the API's sentences."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        note: Callable[[str], None] = lambda _sentence: None,
    ) -> None:
        self.place = Place.of(url)
        self.url = self.place.url
        self._token = token
        self._note = note

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """The resource at `path` below /api/v1/; None values in `query` are left out."""
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        return self._call("GET", path + ("?" + urlencode(asked) if asked else ""), None, {})

    def post(self, path: str, body: Json | Body, *, patience: float = 60.0) -> Any:
        """Do something once: every try carries the same Idempotency-Key. `patience`: seconds to wait for the answer."""
        packed = JsonBody(body) if isinstance(body, dict) else body
        return self._call("POST", path, packed, {"Idempotency-Key": str(uuid.uuid4())}, patience)

    def put(self, path: str, body: Json) -> Any:
        """Replace values; safe to repeat by its nature."""
        return self._call("PUT", path, JsonBody(body), {})

    def items(self, path: str, query: Mapping[str, Any] | None = None, *, most: int = 1000) -> Iterator[Json]:
        """The items of a list, page after page, at most `most` of them."""
        page, left = self.get(path, query), most
        for _ in range(MOST_PAGES):
            yield from page.get("results", [])[:left]
            left -= len(page.get("results", []))
            if left <= 0 or not page.get("next"):
                return
            page = self.get(self._next(str(page["next"])))

    def _next(self, link: str) -> str:
        """The path of the next page below the API. Its host is ignored: the token goes only where it was meant to."""
        parts = urlsplit(link)
        path = parts.path.rpartition("/api/v1/")[2] if parts.path else ""
        return path + ("?" + parts.query if parts.query else "")

    def _call(self, method: str, path: str, body: Body | None, extra: Json, patience: float = 60.0) -> Any:
        headers = {"Accept": "application/json", "User-Agent": "relman-cli", **extra}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        answer = self._persist(method, path, headers, body, patience)
        if answer.status >= 300:
            raise _failure(answer, self.url)
        return _decoded(answer, self.url)

    def _persist(self, method: str, path: str, headers: Json, body: Body | None, patience: float) -> Answer:
        """Try, and try again after growing waits while the trouble is one that passes."""
        for wait in (*WAITS, None):
            trouble: str
            try:
                answer = attempt(self.place, method, path, headers, body, patience)
                if answer.status not in AGAIN or wait is None:
                    return answer
                trouble, wait = f"RelMan answered {answer.status}", _asked(answer, wait)
            except (OSError, http.client.HTTPException) as error:
                if wait is None or not _passes(error):
                    raise _unreachable(self.url, error) from error
                trouble = f"RelMan at {self.url} cannot be reached ({_said(error)})"
            pause = wait * random.uniform(0.75, 1.25)  # noqa: S311 (spreads retries, keeps no secret)
            self._note(f"{trouble}; trying again in {pause:.1f} s.")
            sleep(pause)
        raise AssertionError("the last try always returns or raises")


def segment(text: str) -> str:
    """One part of an address, safe to put between slashes (a version may hold a plus sign)."""
    if text in ("", ".", ".."):
        raise usage(f"'{text}' cannot be a name here.")
    return quote(text, safe="")


def _asked(answer: Answer, wait: float) -> float:
    """The wait before the next try: what Retry-After asks for, never less than our own."""
    asked = answer.retry_after()
    if asked is not None and asked > LONGEST_WAIT:
        raise Failure(
            f"RelMan answered {answer.status} and asks to come back in {asked:.0f} s. Run the command again then.",
            exits.UNREACHABLE,
            answer.problem(),
        )
    return max(wait, asked or 0.0)


def _passes(error: Exception) -> bool:
    """Whether another try can help: a certificate that is not trusted will not be trusted a second later."""
    return type(error).__name__ not in ("SSLCertVerificationError", "InvalidURL")


def _said(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def _unreachable(url: str, error: Exception) -> Failure:
    return Failure(
        f"RelMan at {url} cannot be reached: {_said(error)}. Check the address (RELMAN_URL or --url) and that it runs.",
        exits.UNREACHABLE,
    )


def _failure(answer: Answer, url: str) -> Failure:
    """The API's problem in its sentences; for an answer that is not the API's, what was received and from where."""
    if answer.status < 400:
        where = answer.headers.get("location", "another address")
        return usage(f"RelMan at {url} sends to {where}. Set RELMAN_URL to the address that answers itself.")
    problem = answer.problem()
    if problem is not None:
        return from_problem(problem, answer.status)
    reason = http.client.responses.get(answer.status, "")
    sentence = f"The server at {url} answered {answer.status} {reason}".rstrip() + ", and not in RelMan's words."
    return Failure(sentence + " Check RELMAN_URL and what stands in front of RelMan.", exits.for_status(answer.status))


def _decoded(answer: Answer, url: str) -> Any:
    if not answer.content:
        return {}
    try:
        return json.loads(answer.content)
    except ValueError:
        raise Failure(f"The server at {url} did not answer in JSON: this is not RelMan's API.") from None
