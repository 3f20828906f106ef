"""Caddy's configuration, made from routes. Pure: no file is read, no process asked.

One site for each environment; its number stands in the addresses that RelMan is asked, so nothing that a client sends
(X-Forwarded-Host, say) can make the gateway ask about another environment. There are no trusted proxies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from . import slots
from .errors import GatewayError
from .pages import HEADERS, page
from .place import Place

Json = dict[str, Any]

LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
HOST = re.compile(rf"({LABEL})\.({LABEL})\.localhost")

IDENTITY = ("RelMan-User", "RelMan-Via")
"""Told to the application about whoever passed. RelMan's answer always carries all of them."""

FORGEABLE = (
    # RelMan's own, also as WSGI servers read them: there an underscore becomes a dash.
    "Relman*", "X-Relman*", "X_relman*",
    # Identity, as other gateways tell it.
    "Remote-User", "Remote_user", "Remote-Groups", "Remote_groups", "Remote-Name", "Remote_name",
    "Remote-Email", "Remote_email", "X-Remote-*", "X_remote_*",
    # Where a request came from and was sent to; Caddy writes X-Forwarded-For, -Host and -Proto anew.
    "Forwarded", "X-Forwarded*", "X_forwarded*", "X-Real-Ip", "X_real_ip", "X-Client-Ip", "X_client_ip",
    "True-Client-Ip", "X-Cluster-Client-Ip", "X-Original-Url", "X_original_url", "X-Rewrite-Url", "X_rewrite_url",
    "X-Original-Host", "X-Host",
)  # fmt: skip

OUR_COOKIE = r"(?i:relman_[a-z]+_[0-9]+)"
"""In any spelling: to Caddy `Relman_Pass_8080` is the same cookie."""
STRIP_COOKIES = [
    {"search_regexp": rf"(^|;)[ \t]*{OUR_COOKIE}[ \t]*=[^;]*", "replace": ""},
    {"search_regexp": r"^[; \t]+", "replace": ""},
]


ENVIRONMENT, APPLICATION, PHASE = (f"{{http.vars.relman_{name}}}" for name in ("environment", "application", "phase"))
"""Set by the site, from its route: no client can."""


@dataclass(frozen=True)
class Route:
    """An environment's address. Not `public`: RelMan is asked about each request."""

    environment: int
    host: str
    public: bool

    def __post_init__(self) -> None:
        # A name that is not plain could carry one of Caddy's placeholders.
        if not HOST.fullmatch(self.host):
            raise GatewayError(f"“{self.host}” is not an address of the form application.phase.localhost.")

    @property
    def phase(self) -> str:
        """The phase's slug, for the pages."""
        return self.host.split(".")[1]

    @property
    def application(self) -> str:
        """The application's slug, for the pages."""
        return self.host.split(".")[0]


def pass_cookie(port: int) -> str:
    """The cookie that says who somebody is on an environment's host; named after the gateway's port."""
    return f"relman_pass_{port}"


def browser_cookie(port: int) -> str:
    """The cookie by which the browser that was sent to sign in is known when it comes back."""
    return f"relman_browser_{port}"


def configuration(place: Place, routes: Iterable[Route], asking: str) -> Json:
    """The whole of Caddy's configuration for these routes; equal routes give an equal configuration.

    `asking`: what the gateway shows to RelMan (probe.asking).
    """
    sites = [_site(place, route) for route in sorted(routes, key=lambda route: route.environment)]
    nothing = _answer("unknown", 404, "There is nothing here", "No environment has this address.")
    server: Json = {
        "listen": [f"127.0.0.1:{place.port}"],
        "automatic_https": {"disable": True},
        "protocols": ["h1"],
        "read_header_timeout": "10s",
        "named_routes": _shared(place, asking),
        "routes": [*sites, {"handle": nothing}],
        "errors": {"routes": _troubles()},
    }
    return {
        "admin": {"listen": f"unix/{place.socket}|0600", "config": {"persist": False}},
        "storage": {"module": "file_system", "root": str(place.folder / "caddy")},
        "logging": {"logs": _logs()},
        "apps": {"http": {"grace_period": "10m", "servers": {"gateway": server}}},
    }


def _site(place: Place, route: Route) -> Json:
    """What differs between environments. What they share is written once: there may be hundreds of them."""
    first = slots.slot(place.folder, route.environment, 0)
    known = {
        "relman_environment": str(route.environment),
        "relman_application": route.application,
        "relman_phase": route.phase,
    }
    steps = [
        {"handle": [{"handler": "vars", **known}, _shared_step("public" if route.public else "private")]},
        {"match": [{"vars": {f"{{file.{first}}}": [""]}}], "handle": [_shared_step("empty")]},
        {"handle": [_shared_step("back"), _application(place, route)]},
    ]
    return {
        "@id": f"environment-{route.environment}",
        "match": [{"host": [route.host]}],
        "handle": [{"handler": "subroute", "routes": steps}],
        "terminal": True,
    }


def _shared_step(name: str) -> Json:
    return {"handler": "invoke", "name": name}


def _shared(place: Place, asking: str) -> Json:
    """The ways that every request goes: what RelMan keeps for itself, who may pass, what is taken off. What is kept is
    compared cleaned, and as it was sent: /_relman/../x would reach the application in that spelling."""
    begun = {"vars_regexp": {"{http.request.orig_uri.path}": {"pattern": "(?i)^/+_relman(?:/|$)"}}}
    reserved = {"match": [{"path": ["/_relman", "/_relman/*"]}, begun], "handle": _reserved()}
    verify = {"handle": [_marked("verify"), _verify(place, asking)]}
    ours = (browser_cookie(place.port), pass_cookie(place.port))
    first = [*_doubled(*ours), _enter(place, asking), reserved]
    ways = {
        "private": [*first, verify, *_strip(), {"handle": [_marked("application")]}],
        "public": [*first, *_strip(), {"handle": [_marked("application")]}],
        "empty": [{"handle": _empty()}],
        "back": [{"handle": [_back()]}],
    }
    return {name: {"handle": [{"handler": "subroute", "routes": way}]} for name, way in ways.items()}


def _enter(place: Place, asking: str) -> Json:
    """The one address of RelMan on an environment's host. Caddy compares the cleaned, decoded path, so spelling tricks
    end here or at the next step, and what RelMan sees is always the address written below."""
    rewrite = {"method": "GET", "uri": f"/_gate/enter/{ENVIRONMENT}?{{http.request.uri.query}}"}
    told = {"RelMan-Asking": asking, "Cookie": _cookies(browser_cookie(place.port))}
    return {
        "match": [{"path": ["/_relman/enter"], "method": ["GET"]}],
        "handle": [_marked("verify"), _ask(place, rewrite, told)],
    }


def _verify(place: Place, asking: str) -> Json:
    """Ask RelMan. 2xx: go on, and remember what it said about the person; all else is the client's answer."""
    told: Mapping[str, str] = {
        "RelMan-Asking": asking,
        "Accept": "{http.request.header.Accept}",
        "Cookie": _cookies(browser_cookie(place.port), pass_cookie(place.port)),
        "RelMan-Token": "{http.request.header.Relman-Token}",
        "RelMan-Check": "{http.request.header.Relman-Check}",
        "X-Forwarded-Method": "{http.request.method}",
        "X-Forwarded-Uri": "{http.request.orig_uri}",
    }
    asked = _ask(place, {"method": "GET", "uri": f"/_gate/verify/{ENVIRONMENT}?"}, told)
    remember = {_variable(name): f"{{http.reverse_proxy.header.{_canonical(name)}}}" for name in IDENTITY}
    return {
        **asked,
        "handle_response": [
            {"match": {"status_code": [2]}, "routes": [{"handle": [{"handler": "vars", **remember}]}]},
        ],
    }


def _cookies(*names: str) -> str:
    """These cookies of the client's, and no other; then once more those that came doubled."""
    return "; ".join(f"{name}={{http.request.cookie.{name}}}" for name in names) + "{http.vars.relman_doubled}"


def _doubled(*names: str) -> list[Json]:
    """Whether a cookie of ours came twice, or in another spelling: then another application has set it. Caddy gives
    the first and does not tell, so RelMan is shown each name twice and believes none of them."""
    line = "{http.request.header.Cookie}"
    found: list[Json] = []
    for name in names:
        ours, other = rf"(?:^|[;,])[ \t]*{name}[ \t]*=", rf"[;,][ \t]*{name}[ \t]*="
        found.append({"vars_regexp": {line: {"pattern": f"(?i){ours}.*{other}"}}})
        misspelt: Json = {"vars_regexp": {line: {"pattern": f"(?i){ours}"}}}
        found.append({**misspelt, "not": [{"vars_regexp": {line: {"pattern": ours}}}]})
    again = "".join(f"; {name}=" for name in names)
    return [
        {"handle": [{"handler": "vars", "relman_doubled": ""}]},
        {"match": found, "handle": [{"handler": "vars", "relman_doubled": again}]},
    ]


def _ask(place: Place, rewrite: Json, told: Mapping[str, str]) -> Json:
    """A request to RelMan's web server with nothing of the client's headers but what is `told`. It may be asked again
    for three seconds, so that a restart of RelMan is a pause; then the gateway lets nobody in."""
    headers = {"Host": f"localhost:{place.web_port}", "X-Forwarded-For": "{http.request.remote.host}", **told}
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"127.0.0.1:{place.web_port}"}],
        "rewrite": rewrite,
        "headers": {"request": {"delete": ["*"], "set": {name: [value] for name, value in headers.items()}}},
        "load_balancing": {"try_duration": "3s", "try_interval": "100ms"},
        "transport": _transport(response_header_timeout="15s"),
    }


def _strip() -> list[Json]:
    """Nothing of RelMan's reaches an application, and nothing that only a gateway may say. No tunnel but a WebSocket:
    inside another one (h2c) whole requests would pass unseen, with any header."""
    cookies = {"handler": "headers", "request": {"replace": {"Cookie": STRIP_COOKIES}}}
    forged = {"handler": "headers", "request": {"delete": list(FORGEABLE)}}
    none_left = {"handler": "headers", "request": {"delete": ["Cookie"]}}
    tunnel = {"handler": "headers", "request": {"delete": ["Upgrade", "Http2-Settings"]}}
    allowed = {"vars_regexp": {"{http.request.header.Upgrade}": {"pattern": "(?i)^(websocket)?$"}}}
    return [
        {"match": [{"not": [allowed]}], "handle": [tunnel]},
        {"handle": [forged, cookies]},
        {"match": [{"header": {"Cookie": [""]}}], "handle": [none_left]},
    ]


def _empty() -> list[Json]:
    """Nothing is live: said by the first slot, which is then an empty file."""
    sentence = f"Nothing of {APPLICATION} runs in {PHASE} yet. Promote a release into it first."
    return _answer("nothing-live", 503, f"Nothing runs in {PHASE} yet", sentence)


def _back() -> Json:
    """On the way back: an application can neither set RelMan's cookies nor speak for the gateway."""
    cookies = [{"search_regexp": rf"^[ \t]*{OUR_COOKIE}[ \t]*=.*$", "replace": ""}]
    return {
        "handler": "headers",
        "response": {"deferred": True, "delete": ["Relman*"], "replace": {"Set-Cookie": cookies}},
    }


def _application(place: Place, route: Route) -> Json:
    """The application itself, with what RelMan said about the person: set last, so that no header of the client's
    (`Connection: RelMan-User`, say) takes it away."""
    identity = {} if route.public else {name: [f"{{http.vars.{_variable(name)}}}"] for name in IDENTITY}
    paths = [slots.slot(place.folder, route.environment, number) for number in range(slots.SLOTS)]
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"{{file.{path}}}"} for path in paths],
        "load_balancing": {
            "selection_policy": {"policy": "round_robin"},
            "try_duration": "3s",
            "try_interval": "50ms",
        },
        "headers": {"request": {"set": identity}},
        "stream_close_delay": "1h",
        "transport": _transport(),
    }


def _transport(**more: str) -> Json:
    """Idle connections are closed early: a server that closes one just as a request is sent would lose it."""
    return {
        "protocol": "http",
        "compression": False,
        "dial_timeout": "2s",
        "keep_alive": {"enabled": True, "idle_timeout": "1s"},
        **more,
    }


def _variable(name: str) -> str:
    return name.lower().replace("-", "_")


def _canonical(name: str) -> str:
    """A header's name as Go spells it, and so its placeholder."""
    return "-".join(part.capitalize() for part in name.split("-"))


def _marked(step: str) -> Json:
    """Remembers how far a request came, for the words of an error page."""
    return {"handler": "vars", "relman_step": step}


def _reserved() -> list[Json]:
    return _answer("reserved", 404, "There is nothing here", "Addresses below /_relman belong to RelMan.")


def _troubles() -> list[Json]:
    """What a client sees when RelMan or the application does not answer."""
    relman = ("RelMan does not answer", "Nobody can be let in without it. It usually comes back within seconds.")
    down = ("The application does not answer", "Its process is starting, stopped or too slow. Try again in a moment.")
    return [
        {"match": [{"vars": {"relman_step": ["verify"]}}], "handle": _answer("relman-down", 503, *relman)},
        {"match": [{"vars": {"relman_step": ["application"]}}], "handle": _answer("application-down", 502, *down)},
        {"handle": _answer("refused", 400, "The gateway cannot read this request", "It is not well-formed.")},
    ]


def _answer(reason: str, status: int, title: str, sentence: str) -> list[Json]:
    """A page for browsers, the sentence for everybody else. `RelMan-Gateway` tells a program who answered and why."""
    shared = {"handler": "static_response", "status_code": status}
    headers = {**{name: [value] for name, value in HEADERS.items()}, "RelMan-Gateway": [reason]}
    if status == 503:
        headers["Retry-After"] = ["5"]
    html = {**headers, "Content-Type": ["text/html; charset=utf-8"]}
    text = {**headers, "Content-Type": ["text/plain; charset=utf-8"]}
    return [
        {
            "handler": "subroute",
            "routes": [
                {
                    "match": [{"header": {"Accept": ["*text/html*"]}}],
                    "handle": [{**shared, "headers": html, "body": page(title, sentence)}],
                    "terminal": True,
                },
                {"handle": [{**shared, "headers": text, "body": f"{title}. {sentence}\n"}]},
            ],
        }
    ]


def _logs() -> Json:
    """Warnings, and each request that failed, without headers (passes, tokens) and queries (one-time codes). Caddy
    calls a failure that an error page has answered DEBUG; of its admin socket it says only that it is one."""
    careful = {
        "format": "filter",
        "wrap": {"format": "json"},
        "fields": {
            "request>headers": {"filter": "delete"},
            "resp_headers": {"filter": "delete"},
            "request>uri": {"filter": "regexp", "regexp": r"\?.*$", "value": "?…"},
        },
    }
    failed = "http.log.error"
    return {
        "default": {"level": "WARN", "exclude": [failed, "admin"], "encoder": careful},
        "failed": {"level": "DEBUG", "include": [failed], "encoder": careful},
    }
