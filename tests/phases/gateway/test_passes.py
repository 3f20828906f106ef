"""Who may go through the gateway: one-time codes, passes, tokens, and RelMan's answers to Caddy."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models.functions import Now
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from phases import actions, gateway, passes, permissions
from phases.gateway import pages, probe
from phases.models import Environment, Grant, Pass, Pipeline, Role, User
from relman.actors import Actor
from relman.audit.models import Event
from tests.phases.world import World

SYSTEM = Actor.system
HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


@dataclass
class Town:
    """One application in the four phases of the template, and people with and without roles."""

    pipeline: Pipeline
    environments: dict[str, Environment]

    @property
    def qa(self) -> Environment:
        return self.environments["qa"]

    def person(self, name: str, role: str = "", **more: Any) -> User:
        user = actions.create_user(actor=SYSTEM(), username=name, **more)
        if role:
            self.give(user, role)
        return user

    def give(self, user: User, role: str, **more: Any) -> None:
        found = Role.objects.get(slug=role)
        for phase in self.pipeline.phases.all():
            if found.rights.filter(phase=phase, right="view").exists():
                permissions.grant(found, phase, actor=SYSTEM(), user=user, **more)


@pytest.fixture
def town(world: World) -> Town:
    return furnished(world)


def furnished(world: World) -> Town:
    made = {phase.slug: world.environment(phase.slug) for phase in world.pipeline.phases.all()}
    return Town(world.pipeline, made)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings: Any) -> Path:
    settings.HOME = tmp_path
    return tmp_path


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


SECRET = "x" * 43
"""What the browser of these tests was given when it was sent to sign in."""


def begin(client: Client, environment: Environment, back: str = "/", secret: str = SECRET) -> HttpResponse:
    asked = {"environment": str(environment.pk), "browser": passes.mark(secret), "next": back}
    answer = client.get("/_gate/begin", asked)
    assert isinstance(answer, HttpResponse)
    return answer


def code_of(answer: HttpResponse) -> str:
    assert answer.status_code == 302, answer.content
    (code,) = parse_qs(urlsplit(answer["Location"]).query)["code"]
    return code


def from_gateway() -> dict[str, str]:
    return {probe.ASKING: probe.asking(gateway.place())}


def enter(environment: Environment, code: str, back: str = "/", secret: str = SECRET) -> HttpResponse:
    client = Client(headers=from_gateway())
    client.cookies[BROWSER] = secret
    answer = client.get(f"/_gate/enter/{environment.pk}", {"code": code, "next": back})
    assert isinstance(answer, HttpResponse)
    return answer


def cookie_of(answer: HttpResponse) -> str:
    assert answer.status_code == 302, answer.content
    value: str = answer.cookies[COOKIE].value
    return value


COOKIE = f"relman_pass_{settings.GATEWAY_PORT}"
BROWSER = f"relman_browser_{settings.GATEWAY_PORT}"


def verify(
    environment: Environment, *, cookie: str = "", secret: str = "", accept: str = "*/*", **more: str
) -> HttpResponse:
    """What Caddy asks; header names with _ for -."""
    client = Client()
    if secret:
        client.cookies[BROWSER] = secret
    if cookie:
        client.cookies[COOKIE] = cookie
    named = {name.replace("_", "-"): value for name, value in more.items()}
    headers = {"Accept": accept, **from_gateway(), **named}
    answer = client.get(f"/_gate/verify/{environment.pk}", headers=headers)
    assert isinstance(answer, HttpResponse)
    return answer


def passed(client: Client, environment: Environment) -> str:
    """Walk the whole way in; the cookie."""
    return cookie_of(enter(environment, code_of(begin(client, environment))))


def test_a_cookie_that_comes_twice_is_nobodys(town: Town) -> None:
    cookie = passed(signed_in(town.person("jane", "qa-engineer")), town.qa)
    twice = verify(town.qa, accept=HTML, Cookie=f"{COOKIE}={cookie}; theme=dark; {COOKIE}=tossed")
    assert twice.status_code == 403 and twice["Clear-Site-Data"] == '"cookies"'
    assert "Another application has set a cookie" in twice.content.decode()
    assert verify(town.qa, Cookie=f"theme=dark; {COOKIE}={cookie}; {COOKIE}x=1").status_code == 204
    sent_away = verify(town.qa, accept=HTML, Cookie=f"{BROWSER}={SECRET}; {BROWSER}={'y' * 43}")
    assert sent_away.status_code == 403
    code = code_of(begin(signed_in(town.person("joe", "qa-engineer")), town.qa))
    client = Client(headers={**from_gateway(), "Cookie": f"{BROWSER}={SECRET}; {BROWSER}=tossed", "Accept": HTML})
    answer = client.get(f"/_gate/enter/{town.qa.pk}", {"code": code})
    assert answer.status_code == 403 and COOKIE not in answer.cookies


# The way in


def test_a_person_with_the_right_walks_in(town: Town) -> None:
    client = signed_in(town.person("jane", "qa-engineer"))
    away = begin(client, town.qa, "/cart?item=1")
    assert away["Location"].startswith(f"http://till.qa.localhost:{settings.GATEWAY_PORT}/_relman/enter?code=")
    back = enter(town.qa, code_of(away), "/cart?item=1")
    assert back["Location"] == "/cart?item=1"
    morsel = back.cookies[COOKIE]
    assert morsel["httponly"] and morsel["samesite"] == "Lax" and morsel["path"] == "/"
    assert not morsel["domain"] and not morsel["max-age"]
    answer = verify(town.qa, cookie=morsel.value)
    assert (answer.status_code, answer["RelMan-User"], answer["RelMan-Via"]) == (204, "jane", "page")
    for response in (away, back, answer):
        assert response["Cache-Control"] == "no-store" and response["Referrer-Policy"] == "no-referrer"


def test_opening_an_environment_is_recorded_and_so_is_a_refusal(town: Town) -> None:
    begin(signed_in(town.person("jane", "qa-engineer")), town.qa)
    done = Event.objects.get(verb="environment.opened")
    assert (done.outcome, done.actor_name, done.phase, done.application) == ("done", "jane", "qa", "till")
    begin(signed_in(town.person("dev", "developer")), town.environments["stage"])
    assert Event.objects.filter(verb="environment.opened", outcome="refused", phase="stage").count() == 1


def test_who_is_not_signed_in_signs_in_first_and_comes_back(town: Town) -> None:
    answer = begin(Client(), town.qa, "/a?b=c")
    assert answer.status_code == 302
    to = urlsplit(answer["Location"])
    assert to.path == "/signin/"
    mark = passes.mark(SECRET)
    (next_,) = parse_qs(to.query)["next"]
    assert next_ == f"/_gate/begin?environment={town.qa.pk}&browser={mark}&next=%2Fa%3Fb%3Dc"
    assert not Pass.objects.exists()


def test_a_code_is_good_once(town: Town) -> None:
    code = code_of(begin(signed_in(town.person("jane", "qa-engineer")), town.qa))
    cookie_of(enter(town.qa, code))
    again = enter(town.qa, code)
    assert again.status_code == 403 and COOKIE not in again.cookies
    assert "used already, is older than 30 seconds" in again.content.decode()
    assert again["Content-Security-Policy"] == pages.POLICY


def test_a_code_is_good_for_30_seconds(town: Town) -> None:
    client = signed_in(town.person("jane", "qa-engineer"))
    code = code_of(begin(client, town.qa))
    Pass.objects.update(code_until=Now())
    assert enter(town.qa, code).status_code == 403
    begin(client, town.qa)
    left = Pass.objects.get()
    assert timedelta(seconds=29) < left.code_until - left.created_at <= timedelta(seconds=31)


def test_a_code_is_good_for_one_environment(town: Town) -> None:
    client = signed_in(town.person("jane", "qa-engineer"))
    code = code_of(begin(client, town.qa))
    assert enter(town.environments["dev"], code).status_code == 403
    cookie = cookie_of(enter(town.qa, code))
    assert verify(town.environments["dev"], cookie=cookie).status_code == 401
    assert verify(town.qa, cookie=cookie).status_code == 204


def test_a_code_is_no_cookie_and_a_cookie_no_code(town: Town) -> None:
    code = code_of(begin(signed_in(town.person("jane", "qa-engineer")), town.qa))
    assert verify(town.qa, cookie=code).status_code == 401
    cookie = cookie_of(enter(town.qa, code))
    assert enter(town.qa, cookie).status_code == 403


@pytest.mark.parametrize("code", ["", "x", "é", "\x00", "a" * 5000])
def test_made_up_codes_and_cookies_open_nothing(town: Town, code: str) -> None:
    assert enter(town.qa, code).status_code == (400 if "\x00" in code else 403)
    assert passes.enter(code, town.qa.pk, SECRET) is None
    assert passes.person(code, town.qa.pk) is None


def test_only_hashes_are_kept(town: Town) -> None:
    client = signed_in(town.person("jane", "qa-engineer"))
    code = code_of(begin(client, town.qa))
    cookie = cookie_of(enter(town.qa, code))
    row = Pass.objects.values().get()
    assert code not in str(row) and cookie not in str(row)


def test_a_code_is_good_in_the_browser_that_asked_for_it(town: Town) -> None:
    """Else whoever has an account sends a victim an address that signs them in under the attacker's name."""
    code = code_of(begin(signed_in(town.person("attacker", "qa-engineer")), town.qa))
    for secret in ("", "y" * 43, passes.mark(SECRET)):
        victim = enter(town.qa, code, secret=secret)
        assert victim.status_code == 403 and COOKIE not in victim.cookies
        assert "begun in another browser" in victim.content.decode()
    assert verify(town.qa, cookie=cookie_of(enter(town.qa, code))).status_code == 204


@pytest.mark.parametrize("browser", [None, "", "x", "A" * 64, passes.mark("x") + "\n"])
def test_who_begins_at_relman_is_sent_to_the_environment_to_begin_there(town: Town, browser: str | None) -> None:
    client = signed_in(town.person("jane", "qa-engineer"))
    asked = {"environment": str(town.qa.pk), "next": "/a?b=c"} | ({} if browser is None else {"browser": browser})
    answer = client.get("/_gate/begin", asked)
    assert answer.status_code == 302
    assert answer["Location"] == f"http://till.qa.localhost:{settings.GATEWAY_PORT}/a?b=c"
    assert not Pass.objects.exists()


def test_a_browser_keeps_its_secret_for_two_windows(town: Town) -> None:
    first = verify(town.qa, accept=HTML)
    morsel = first.cookies[BROWSER]
    assert morsel["httponly"] and morsel["samesite"] == "Lax" and not morsel["domain"] and not morsel["max-age"]
    again = verify(town.qa, accept=HTML, secret=morsel.value)
    assert BROWSER not in again.cookies and again["Location"] == first["Location"]
    assert passes.mark(morsel.value) in first["Location"] and morsel.value not in first["Location"]
    assert BROWSER in verify(town.qa, accept=HTML, secret="chosen by somebody").cookies


def test_old_passes_are_forgotten(town: Town) -> None:
    client = signed_in(town.person("jane", "qa-engineer"))
    passed(client, town.qa)
    begin(client, town.qa)
    Pass.objects.update(until=Now(), code_until=Now())
    begin(client, town.qa)
    assert Pass.objects.count() == 1


# next


@pytest.mark.parametrize(
    "path",
    ["//evil.com", "///evil.com", "/\\evil.com", "\\\\evil.com", "http://evil.com", "https:evil.com", "evil.com", "",
     "javascript:alert(1)", "/\t/evil.com", "/\n/evil.com", "/ /evil.com", "/%0d%0aX: y\r\nX: y", "/é",
     "/_relman/enter?code=x", "/_RELMAN/x", "/" + "a" * 5000],
)  # fmt: skip
def test_nobody_is_sent_elsewhere(town: Town, path: str) -> None:
    client = signed_in(town.person("jane", "qa-engineer"))
    away = begin(client, town.qa, path)
    assert parse_qs(urlsplit(away["Location"]).query)["next"] == ["/"]
    assert urlsplit(away["Location"]).hostname == "till.qa.localhost"
    assert enter(town.qa, code_of(away), path)["Location"] == "/"


@pytest.mark.parametrize("path", ["/", "/a/b", "/a?next=http://evil.com", "/a%2Fb?x=%20y&z", "/~user/;v=1", "/a//b"])
def test_local_paths_are_kept(path: str) -> None:
    assert passes.local_path(path) == path


@given(st.text(alphabet="/\\.:@?#%;ahtp \t\r\n\x00é", max_size=12))
def test_a_kept_path_never_names_a_host(text: str) -> None:
    kept = passes.local_path(text)
    assert kept.startswith("/") and kept[1:2] not in ("/", "\\") and kept.isprintable()


# Asked again on every request


def test_losing_the_role_closes_the_environment_with_the_next_request(town: Town) -> None:
    jane = town.person("jane", "qa-engineer")
    cookie = passed(signed_in(jane), town.qa)
    grant = Grant.objects.get(user=jane, phase__slug="qa")
    permissions.revoke(grant, actor=SYSTEM())
    assert verify(town.qa, cookie=cookie).status_code == 403
    permissions.grant(Role.objects.get(slug="qa-engineer"), town.qa.phase, actor=SYSTEM(), user=jane)
    assert verify(town.qa, cookie=cookie).status_code == 204


def test_a_role_that_ends_closes_the_environment(town: Town) -> None:
    jane = town.person("jane", "qa-engineer")
    cookie = passed(signed_in(jane), town.qa)
    from phases.models import PhaseUserPermission

    PhaseUserPermission.objects.filter(user=jane).update(until=Now())
    assert verify(town.qa, cookie=cookie).status_code == 404


def test_signing_out_ends_both(town: Town) -> None:
    client = signed_in(town.person("jane", "qa-engineer"))
    cookies = [passed(client, town.qa), passed(client, town.environments["dev"])]
    client.logout()
    assert verify(town.qa, cookie=cookies[0]).status_code == 401
    assert verify(town.environments["dev"], cookie=cookies[1]).status_code == 401


def test_ending_a_session_forgets_its_passes_and_no_others(town: Town) -> None:
    first, second = signed_in(town.person("jane", "qa-engineer")), signed_in(town.person("joe", "developer"))
    cookie, other = passed(first, town.qa), passed(second, town.qa)
    passes.end(first.session.session_key)
    passes.end(None)
    assert verify(town.qa, cookie=cookie).status_code == 401
    assert verify(town.qa, cookie=other).status_code == 204


Ends = Callable[[Town, User, Client], object]
ENDS: dict[str, Ends] = {
    "the account is switched off": lambda town, user, client: User.objects.update(is_active=False),
    "the password is changed": lambda town, user, client: User.objects.update(password="another hash"),
    "the session has run out": lambda town, user, client: Session.objects.update(expire_date=Now() - timedelta(1)),
    "the session is gone": lambda town, user, client: Session.objects.all().delete(),
    "the pass has run out": lambda town, user, client: Pass.objects.update(until=Now()),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_pass_ends_when(town: Town, end: str) -> None:
    jane = town.person("jane", "qa-engineer")
    client = signed_in(jane)
    cookie = passed(client, town.qa)
    assert verify(town.qa, cookie=cookie).status_code == 204
    ENDS[end](town, jane, client)
    assert verify(town.qa, cookie=cookie).status_code == 401
    assert verify(town.qa, cookie=cookie, accept=HTML, X_Forwarded_Uri="/").status_code == 302


def test_the_session_cookie_itself_opens_nothing(town: Town) -> None:
    client = signed_in(town.person("jane", "qa-engineer"))
    assert client.get(f"/_gate/verify/{town.qa.pk}", headers=from_gateway()).status_code == 401


def test_verifying_is_few_queries_and_writes_nothing(town: Town) -> None:
    cookie = passed(signed_in(town.person("jane", "qa-engineer")), town.qa)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = verify(town.qa, cookie=cookie)
    asked = [query["sql"] for query in queries if not query["sql"].startswith(("BEGIN", "COMMIT", "SET"))]
    assert answer.status_code == 204 and not answer.cookies
    assert len(asked) <= 4, asked
    assert all(sql.lstrip("( ").startswith("SELECT") for sql in asked), asked


# Who is refused, and how


def test_a_browser_is_sent_to_sign_in(town: Town) -> None:
    answer = verify(town.qa, accept=HTML, X_Forwarded_Uri="/cart?item=1", X_Forwarded_Method="GET")
    assert answer.status_code == 302
    to = urlsplit(answer["Location"])
    assert f"{to.scheme}://{to.netloc}{to.path}" == f"{settings.PUBLIC_URL}/_gate/begin"
    mark = passes.mark(answer.cookies[BROWSER].value)
    assert parse_qs(to.query) == {"environment": [str(town.qa.pk)], "browser": [mark], "next": ["/cart?item=1"]}


@pytest.mark.parametrize(
    "headers", [{}, {"X_Forwarded_Method": "POST", "accept": HTML}, {"accept": "application/json"}]
)
def test_a_program_and_a_form_get_401(town: Town, headers: dict[str, str]) -> None:
    answer = verify(town.qa, **headers)
    assert answer.status_code == 401 and answer["WWW-Authenticate"] == "Bearer"
    assert "RelMan-Token" in answer.content.decode()


def test_a_problem_is_a_problem_document(town: Town) -> None:
    answer = verify(town.qa)
    assert answer["Content-Type"] == "application/problem+json"
    assert b'"code": "unauthenticated"' in answer.content


def test_a_member_without_the_right_is_told_who_can_help(town: Town) -> None:
    stage = town.environments["stage"]
    dev = town.person("dev", "developer")
    token = actions.issue_token(dev, actor=Actor(dev, "page"), name="mine")[1]
    page = verify(stage, accept=HTML, RelMan_Token=token)
    assert page.status_code == 403 and page["Content-Security-Policy"] == pages.POLICY
    text = page.content.decode()
    assert "You may not open" in text and "Business owner" in text and "QA engineer" in text
    document = verify(stage, RelMan_Token=token)
    assert document.status_code == 403 and "QA engineer" in json.loads(document.content)["roles"]
    own = begin(signed_in(dev), stage)
    assert own.status_code == 403 and "Business owner" in own.content.decode()


def test_an_outsider_learns_nothing(town: Town) -> None:
    stranger = town.person("stranger")
    token = actions.issue_token(stranger, actor=Actor(stranger, "page"), name="mine")[1]
    known = verify(town.qa, accept=HTML, RelMan_Token=token)
    asked = {"Accept": HTML, "RelMan-Token": token, **from_gateway()}
    unknown = Client().get("/_gate/verify/999999", headers=asked)
    assert known.status_code == unknown.status_code == 404
    assert known.content == unknown.content
    assert known.content.decode() == pages.page("There is nothing here", "No environment has this address.")
    client = signed_in(stranger)
    for number in (str(town.qa.pk), "999999", "x", "", "-1", "9" * 40):
        assert client.get("/_gate/begin", {"environment": number}).status_code == 404


@pytest.mark.parametrize("accept", [HTML, "application/json"])
def test_relmans_own_port_tells_nobody_which_environments_there_are(town: Town, accept: str) -> None:
    jane = town.person("jane", "qa-engineer")
    token = actions.issue_token(jane, actor=Actor(jane, "page"), name="mine")[1]
    answers = set()
    for path in (f"verify/{town.qa.pk}", "verify/999999", f"enter/{town.qa.pk}", "enter/999999"):
        for shown in ({}, {"RelMan-Token": token}, {probe.ASKING: "guessed"}, {probe.ASKING: "é"}):
            answer = signed_in(jane).get(f"/_gate/{path}", headers={"Accept": accept, **shown})
            answers.add((answer.status_code, answer.content))
    assert len(answers) == 1 and answers.pop()[0] == 404


def test_a_superuser_opens_by_a_grant_only(town: Town) -> None:
    boss = town.person("boss", is_superuser=True)
    client = signed_in(boss)
    assert begin(client, town.qa).status_code == 403
    town.give(boss, "qa-engineer")
    assert begin(client, town.qa).status_code == 302


# Tokens


def test_a_token_opens_what_its_owner_may_open(town: Town) -> None:
    jane = town.person("jane", "qa-engineer")
    token = actions.issue_token(jane, actor=Actor(jane, "page"), name="mine")[1]
    answer = verify(town.qa, RelMan_Token=token)
    assert (answer.status_code, answer["RelMan-User"], answer["RelMan-Via"]) == (204, "jane", "token")
    assert verify(town.qa, RelMan_Token=token, accept=HTML).status_code == 204


def test_a_tokens_scope_holds(town: Town) -> None:
    jane = town.person("jane", "qa-engineer")

    def status(environment: Environment, **scope: Any) -> int:
        raw = actions.issue_token(jane, actor=Actor(jane, "page"), name="scoped", **scope)[1]
        return verify(environment, RelMan_Token=raw).status_code

    other = actions.create_application(town.pipeline, actor=SYSTEM(), name="Other", slug="other")
    assert status(town.qa, rights=["view"]) == 403
    assert status(town.qa, rights=["view", "open"]) == 204
    assert status(town.qa, phases=[town.qa.phase]) == 204
    assert status(town.qa, phases=[town.environments["dev"].phase]) == 403
    assert status(town.qa, applications=[town.qa.application]) == 204
    assert status(town.qa, applications=[other]) == 404


@pytest.mark.parametrize("raw", ["x", "rlm_aaaaaaaaaaaa_" + "a" * 43, "Bearer x", " "])
def test_a_bad_token_is_401_even_with_a_good_pass(town: Town, raw: str) -> None:
    cookie = passed(signed_in(town.person("jane", "qa-engineer")), town.qa)
    answer = verify(town.qa, cookie=cookie, RelMan_Token=raw)
    assert answer.status_code == 401 and answer["WWW-Authenticate"] == "Bearer"


def test_a_revoked_token_is_none(town: Town) -> None:
    jane = town.person("jane", "qa-engineer")
    token, raw = actions.issue_token(jane, actor=Actor(jane, "page"), name="mine")
    actions.revoke_token(token, actor=Actor(jane, "page"))
    assert verify(town.qa, RelMan_Token=raw).status_code == 401


# RelMan's own check, and what is said about a person


def test_relmans_own_check_passes_one_environment(town: Town) -> None:
    given = probe.sign(gateway.place(), town.qa.pk)
    answer = verify(town.qa, RelMan_Check=given)
    assert (answer.status_code, answer["RelMan-User"], answer["RelMan-Via"]) == (204, "", "check")
    assert verify(town.environments["dev"], RelMan_Check=given).status_code == 401
    assert verify(town.qa, RelMan_Check=given[:-1] + "x").status_code == 401


def test_a_phase_that_became_public_lets_everybody_pass_at_once(town: Town) -> None:
    town.qa.phase.public = True
    town.qa.phase.save()
    answer = verify(town.qa)
    assert (answer.status_code, answer["RelMan-User"]) == (204, "")


@pytest.mark.parametrize("name", ["jürgen", "名前", "o.brien+x@example.com"])
def test_any_user_name_fits_into_a_header(town: Town, name: str) -> None:
    cookie = passed(signed_in(town.person(name, "qa-engineer")), town.qa)
    assert verify(town.qa, cookie=cookie)["RelMan-User"] == quote(name, safe="@.+-_")


@pytest.mark.parametrize("path", ["begin", "verify/1", "enter/1"])
def test_the_gate_is_read_with_get_only(town: Town, path: str) -> None:
    assert Client().post(f"/_gate/{path}", "{}", "application/json").status_code == 405
