"""The gateway's questions: may this request pass, and how does a browser come to its pass.

verify: Caddy asks it about each request to a private phase; answered from the record each time, cached nowhere.
begin: on RelMan's own host, for whoever is signed in. enter: on the environment's host, for a one-time code.
verify and enter answer the gateway alone, so that nobody can ask RelMan's own port which environments there are.
"""

from __future__ import annotations

import secrets
from urllib.parse import quote, urlencode

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.urls import path
from django.views.decorators.http import require_GET

from phases import gateway, passes, permissions, tokens
from phases.gateway import pages, probe
from phases.gateway.routes import IDENTITY, browser_cookie, pass_cookie
from phases.models import Environment, User
from relman import identity, throttle
from relman.actors import Actor
from relman.errors import Forbidden, NotFound, RelManError
from relman.http import problem_response

SIGN_IN = (
    "Sign in to RelMan in a browser, or send RelMan-Token with a token of yours: this address is open only to the "
    "roles that may open its phase."
)
USED_CODE = (
    "This way in was used already, is older than 30 seconds, or was begun in another browser. Open the address again. "
    "If that leads here once more, allow cookies for this address."
)

TWO_COOKIES = (
    "Another application has set a cookie of RelMan's name for this address too, so RelMan cannot tell who you are. "
    "Open the address again; if that leads here once more, delete the cookies of this address."
)


@require_GET
def verify(request: HttpRequest, environment: int) -> HttpResponse:
    """204 with every identity header: pass. 302: a browser that has to sign in. 401, 403, 404: no."""
    try:
        _only_gateway(request)
        target = _environment(environment)
        if probe.valid(gateway.place(), target.pk, request.headers.get(probe.HEADER, "")):
            return _pass(None, "check")
        if target.phase.public:
            return _pass(None, "public")
        return _judge(request, target)
    except RelManError as error:
        return _refused(request, error)


def _judge(request: HttpRequest, target: Environment) -> HttpResponse:
    actor, via = _who(request, target)
    if actor is None:
        if _is_browser(request):
            return _to_sign_in(request, target)
        raise _unknown(SIGN_IN)
    permissions.require_as_member(actor, "open", target, target.application)
    return _pass(actor.user, via)


def _who(request: HttpRequest, target: Environment) -> tuple[Actor | None, str]:
    """The actor and how they show who they are: a token before a cookie. None: they show nothing that counts."""
    raw = request.headers.get("RelMan-Token", "")
    if raw:
        known = tokens.authenticate(raw)
        if known is None:
            key = f"token {request.META.get('REMOTE_ADDR', '')}"
            throttle.check(key, throttle.TOKENS)
            throttle.fail(key)
            raise _unknown(identity.NOT_ACCEPTED)
        owner, token = known
        return Actor(owner, "gateway", _address(request), token), "token"
    cookie = _cookie(request, pass_cookie(settings.GATEWAY_PORT))
    user = passes.person(cookie, target.pk) if cookie else None
    return (Actor(user, "gateway", _address(request)) if user else None), "page"


def _cookie(request: HttpRequest, name: str) -> str:
    """The cookie of this name. Forbidden when there are two: one was set for all addresses of the phase, by another
    application or one of its pages, and nobody can tell which is ours (over https a name with __Host- could)."""
    sent = [part.strip() for part in request.headers.get("Cookie", "").split(";")]
    if sum(part.partition("=")[0].strip() == name for part in sent) > 1:
        raise Forbidden(TWO_COOKIES, code="two_cookies")
    return request.COOKIES.get(name, "")


def _unknown(sentence: str) -> RelManError:
    return RelManError(sentence, code="unauthenticated", status=401, challenge="Bearer")


def _address(request: HttpRequest) -> str:
    """The client's, as the gateway saw it. It is shown in the record and decides nothing."""
    return request.headers.get("X-Forwarded-For", "") or request.META.get("REMOTE_ADDR", "")


def _is_browser(request: HttpRequest) -> bool:
    """A page is asked for: it can be asked for again after signing in."""
    return request.headers.get("X-Forwarded-Method", "GET") == "GET" and _wants_page(request)


def _wants_page(request: HttpRequest) -> bool:
    return "text/html" in request.headers.get("Accept", "").lower()


def _to_sign_in(request: HttpRequest, target: Environment) -> HttpResponse:
    back = passes.local_path(request.headers.get("X-Forwarded-Uri", "/"))
    name = browser_cookie(settings.GATEWAY_PORT)
    given = _cookie(request, name)
    secret = given if passes.known_browser(given) else secrets.token_urlsafe(32)
    query = urlencode({"environment": target.pk, "browser": passes.mark(secret), "next": back})
    response = _private(HttpResponseRedirect(f"{settings.PUBLIC_URL}/_gate/begin?{query}"))
    if secret != given:  # two windows that sign in at once share it
        response.set_cookie(name, secret, httponly=True, samesite="Lax")
    return response


def _pass(user: User | None, via: str) -> HttpResponse:
    """Every identity header, always: one left out could be the client's own."""
    name = quote(user.username, safe="@.+-_") if user else ""
    return _private(HttpResponse(status=204, headers=dict(zip(IDENTITY, (name, via), strict=True))))


@require_GET
def begin(request: HttpRequest) -> HttpResponse:
    """Give whoever is signed in a code, and send them back to the environment's host with it; a browser that does not
    come from there begins there."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path(), resolve_url(settings.LOGIN_URL))
    target = _environment(_number(request.GET.get("environment", "")))
    actor = Actor(request.user, "page", request.META.get("REMOTE_ADDR", ""))
    address, back = f"http://{target.host}:{settings.GATEWAY_PORT}", passes.local_path(request.GET.get("next", "/"))
    browser = request.GET.get("browser", "")
    if not passes.MARK.fullmatch(browser):
        permissions.require_as_member(actor, "open", target, target.application)
        return _private(HttpResponseRedirect(address + back))
    code = passes.admit(target, actor=actor, session_key=request.session.session_key or "", browser=browser)
    return _private(HttpResponseRedirect(f"{address}/_relman/enter?{urlencode({'code': code, 'next': back})}"))


@require_GET
def enter(request: HttpRequest, environment: int) -> HttpResponse:
    """On the environment's host: the code for a cookie, and on to where the browser wanted to go."""
    try:
        _only_gateway(request)
        secret = _cookie(request, browser_cookie(settings.GATEWAY_PORT))
    except RelManError as error:
        return _refused(request, error)
    cookie = passes.enter(request.GET.get("code", ""), environment, secret)
    back = passes.local_path(request.GET.get("next", "/"))
    if cookie is None:
        text = pages.page("This way in is closed", USED_CODE, ("Open the address again", back))
        return _private(_page(text, 403))
    response = _private(HttpResponseRedirect(back))
    # Host-only: no Domain. Not Secure: environments have plain addresses on this machine.
    response.set_cookie(pass_cookie(settings.GATEWAY_PORT), cookie, httponly=True, samesite="Lax")
    return response


def sign_out(request: HttpRequest) -> None:
    """To be called by the sign-out, before the session is gone: every environment is closed with it."""
    passes.end(request.session.session_key)


def _only_gateway(request: HttpRequest) -> None:
    """NotFound, whatever was asked: it is not our gateway that asks."""
    if not probe.asked_by_gateway(gateway.place(), request.headers.get(probe.ASKING, "")):
        raise NotFound()


def _environment(number: int) -> Environment:
    """NotFound: there is none."""
    found = Environment.objects.select_related("application", "phase").filter(pk=number).first()
    if found is None:
        raise NotFound()
    return found


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        raise NotFound()
    return int(text)


def _refused(request: HttpRequest, error: RelManError) -> HttpResponse:
    """A page for browsers, a problem document for programs; both stand on the environment's host."""
    if not _wants_page(request):
        return _private(problem_response(error))
    if isinstance(error, NotFound):
        return _private(_page(pages.page("There is nothing here", "No environment has this address."), 404))
    title = "You may not open this" if isinstance(error, Forbidden) else "RelMan does not know you here"
    link = ("To RelMan", f"{settings.PUBLIC_URL}/")
    response = _private(_page(pages.page(title, error.message, link), error.status))
    if error.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    if error.code == "two_cookies":
        response["Clear-Site-Data"] = '"cookies"'
    return response


def _page(text: str, status: int) -> HttpResponse:
    return HttpResponse(text, status=status, headers=pages.HEADERS)


def _private(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


urlpatterns = [
    path("verify/<int:environment>", verify, name="gate-verify"),
    path("begin", begin, name="gate-begin"),
    path("enter/<int:environment>", enter, name="gate-enter"),
]
