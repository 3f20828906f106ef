"""Requests: tokens, retries, idempotency, errors in sentences, stable exit codes."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from relman.cli import exits
from relman.cli.client import Client, segment
from relman.cli.failure import Failure
from relman.cli.wire import Place
from tests.cli.conftest import Run
from tests.cli.server import HANG_UP, Api

PROMOTION = {"id": 7, "application": "shop", "version": "1.0.0", "phase": "dev", "status": "queued", "verdicts": []}


def test_the_token_is_sent_as_a_bearer(run: Run, api: Api) -> None:
    api.on("GET me/", {"username": "ci", "rights": []})
    assert run("whoami").code == 0
    assert api.asked[0].headers["authorization"] == "Bearer rm_secret"


def test_a_token_file_wins_over_the_environment(run: Run, api: Api, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("rm_other\n")
    api.on("GET me/", {"username": "ci"})
    run("whoami", "--token-file", str(tmp_path / "token"))
    assert api.asked[0].headers["authorization"] == "Bearer rm_other"


def test_without_a_token_nothing_is_sent(run: Run, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RELMAN_TOKEN")
    ran = run("whoami")
    assert (ran.code, api.asked) == (exits.UNAUTHENTICATED, [])
    assert "RELMAN_TOKEN" in ran.err


def test_without_an_address_it_says_which_variable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RELMAN_URL")
    ran = run("board")
    assert ran.code == exits.USAGE
    assert "RELMAN_URL" in ran.err


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "tökén"])
def test_a_token_that_cannot_be_one_is_refused_here(
    run: Run, api: Api, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELMAN_TOKEN", token)
    assert run("whoami").code == exits.UNAUTHENTICATED
    assert api.asked == []


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 2), (401, 3), (403, 4), (404, 5), (409, 6), (413, 2), (422, 2), (500, 7)],
)
def test_each_status_has_its_exit_code_and_the_apis_sentence(run: Run, api: Api, status: int, code: int) -> None:
    api.problem("GET me/", status, "The sentence of the API.")
    ran = run("whoami")
    assert (ran.code, ran.out) == (code, "")
    assert ran.err == "The sentence of the API.\n"


def test_fields_and_roles_are_told(run: Run, api: Api) -> None:
    api.problem("GET me/", 403, "You may not.", fields={"version": ["It is no version."]}, roles=["DevOps"])
    err = run("whoami").err
    assert "version: It is no version." in err
    assert "DevOps" in err


def test_with_json_the_problem_is_on_stdout_too(run: Run, api: Api) -> None:
    api.problem("GET me/", 404, "There is nothing.")
    ran = run("--json", "whoami")
    assert ran.json["detail"] == "There is nothing."
    assert "There is nothing." in ran.err


def test_a_post_keeps_its_key_over_lost_answers(run: Run, api: Api, pauses: list[float]) -> None:
    api.on("POST promotions/", status=HANG_UP)
    api.on("POST promotions/", b"<html>", status=502)
    api.on("POST promotions/", PROMOTION, status=201)
    assert run("promote", "shop", "1.0.0", "dev").code == 0
    keys = [asked.headers["idempotency-key"] for asked in api.asked]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert len({asked.content for asked in api.asked}) == 1
    assert pauses[0] < pauses[1]


def test_two_calls_have_two_keys(run: Run, api: Api) -> None:
    api.on("POST promotions/", PROMOTION, status=201)
    run("promote", "shop", "1.0.0", "dev")
    run("promote", "shop", "1.0.0", "dev")
    assert len({asked.headers["idempotency-key"] for asked in api.asked}) == 2


def test_retries_end(run: Run, api: Api, pauses: list[float]) -> None:
    api.on("GET me/", b"<html>", status=503)
    ran = run("whoami")
    assert ran.code == exits.UNREACHABLE
    assert len(api.asked) == 5
    assert len(pauses) == 4
    assert "503" in ran.err


def test_a_plain_500_is_not_repeated(run: Run, api: Api) -> None:
    api.on("GET me/", b"<html>", status=500)
    assert run("whoami").code == exits.UNREACHABLE
    assert len(api.asked) == 1


def test_nobody_there_is_said_after_a_few_tries(run: Run, pauses: list[float]) -> None:
    with socket.socket() as taken:  # bound and not listening: nobody can be reached there
        taken.bind(("127.0.0.1", 0))
        ran = run("whoami", "--url", f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert ran.code == exits.UNREACHABLE
    assert len(pauses) == 4
    assert "cannot be reached" in ran.err


def test_retry_after_is_honoured(run: Run, api: Api, pauses: list[float]) -> None:
    api.on("GET me/", {}, status=429, headers={"Retry-After": "20"})
    api.on("GET me/", {"username": "ci"})
    assert run("whoami").code == 0
    assert 15 <= pauses[0] <= 25


def test_a_wait_too_long_is_left_to_the_person(run: Run, api: Api, pauses: list[float]) -> None:
    api.on("GET me/", {}, status=503, headers={"Retry-After": "3600"})
    ran = run("whoami")
    assert (ran.code, pauses) == (exits.UNREACHABLE, [])
    assert "3600 s" in ran.err


def test_a_redirect_is_never_followed_with_the_token(run: Run, api: Api) -> None:
    api.on("GET me/", {}, status=302, headers={"Location": "https://elsewhere.example/"})
    ran = run("whoami")
    assert ran.code == exits.USAGE
    assert "https://elsewhere.example/" in ran.err
    assert len(api.asked) == 1


def test_pages_are_followed_on_our_own_host(api: Api) -> None:
    api.on("GET board/", {"results": [{"n": 1}], "next": "https://evil.example/api/v1/board/?cursor=2"})
    api.on("GET board/", {"results": [{"n": 2}], "next": None})
    found = list(Client(api.url, "t").items("board/"))
    assert found == [{"n": 1}, {"n": 2}]
    assert api.asked[1].path == "board/?cursor=2"


def test_pages_end_even_when_the_server_never_ends(api: Api) -> None:
    api.on("GET board/", {"results": [{"n": 1}], "next": "/api/v1/board/?again"})
    assert len(list(Client(api.url, "t").items("board/", most=10))) == 10


@pytest.mark.parametrize("url", ["relman.example.org", "ftp://x", "https://", "http://user:pass@x", "http://x:port"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Failure) as caught:
        Place.of(url)
    assert caught.value.code == exits.USAGE


def test_a_path_before_the_api_is_kept() -> None:
    place = Place.of("https://example.org/relman/api/v1/")
    assert (place.port, place.target("me/")) == (443, "/relman/api/v1/me/")


def test_a_name_cannot_leave_its_place_in_the_address() -> None:
    assert segment("1.0.0+build/../x") == "1.0.0%2Bbuild%2F..%2Fx"
    with pytest.raises(Failure):
        segment("..")


def test_an_answer_that_is_no_api_is_said(run: Run, api: Api) -> None:
    api.on("GET me/", b"<html>hello</html>")
    assert "not RelMan's API" in run("whoami").err
