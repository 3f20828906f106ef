"""Every named address is linked from a page that somebody reads: whoever knows no address still gets everywhere."""

import re
from collections import Counter
from urllib.parse import urljoin, urlsplit

from django.db.models.functions import Now
from django.urls import Resolver404, resolve

from phases import actions as places
from releases.models import Promotion
from tests.releases.test_board import script
from tests.test_permission_matrix import addresses, drifted, errored, left, locked, over, phase_locked, running

LINK = re.compile(r'(?:href|action|formaction|hx-get|data-src|data-src-log|data-manifest)="([^"#]+)')
SEVERAL = {"environment": 4, "promotion": 3}
"""Pages that look otherwise by what they show; of all others one is read."""
START = ("/", "/more/")
WITHOUT = {
    "favicon": "browsers ask for it",
    "events": "scripts listen to it",
    "signin": "whoever is not signed in is led there",
    "admin-signin": "the admin site leads there",
    "gate-verify": "the gateway asks it",
    "gate-begin": "the gateway leads there",
    "gate-enter": "RelMan leads there",
}


def test_every_page_is_linked_from_another(world):
    """As those two who may most between them; what only others may is looked for where they meet it."""
    prepare(world)
    found = set().union(*(walk(world, who) for who in ("devops", "release-manager")))
    found |= special(world)
    names = {name for name, _ in addresses() if not name.startswith("api-") or name == "api-docs"}
    assert sorted(names - found - set(WITHOUT)) == []
    assert set(WITHOUT) <= names


def prepare(world):
    """Something of everything: a key, a component, a phase without an environment, what failed, what is queued."""
    shop = world.shop
    for place in shop.environments.values():
        places.set_configuration(place, {"GREETING": "Hello"}, actor=shop.actor("devops"))
    places.add_component(shop.environments["live"], actor=shop.actor("devops"), kind="queue", name="Mail")
    places.create_application(shop.pipeline, actor=shop.actor("admin"), name="Fresh", slug="fresh")
    script(shop, "dev", steps=[{"do": "fail", "reason": "No disk."}])
    shop.bring(world.releases["1.2.0"], "dev")
    Promotion.objects.filter(pk=shop.ask(shop.release("1.3.0"), "dev").pk).update(status="queued", queued_at=Now())


def walk(world, who):
    """The names of all that one gets to by following links and forms from the first page."""
    browser, names = world.browser(who), set()
    read: Counter[str] = Counter()
    todo, known = list(START), set(START)
    while todo:
        path = todo.pop(0)
        name = name_of(path)
        if name is None or name.startswith("api-") or read[name] >= SEVERAL.get(name, 1):
            continue
        read[name] += 1
        for link in links(browser.get(path), path):
            names.add(name_of(link))
            if link not in known:
                known.add(link)
                todo.append(link)
    return names


def links(answer, path):
    """Where a page leads: its links and forms, or where it sends one on to."""
    if answer.status_code in (301, 302):
        found = [answer["Location"]]
    elif "text/html" in answer.get("Content-Type", ""):
        found = LINK.findall(answer.content.decode().replace("&amp;", "&"))
    else:
        found = []
    here = [urljoin(path, one) for one in found]
    return list(dict.fromkeys(one for one in here if one.startswith("/") and not one.startswith("//")))


def name_of(link):
    try:
        return resolve(urlsplit(link).path).url_name
    except Resolver404:
        return None


def nothing(world):
    """As it is."""


def special(world):
    """What only somebody else may, or a certain state offers, each on the page where one meets it."""
    live, stage, number = "/apps/shop/live/", "/apps/shop/stage/", world.promotions["waiting"].pk
    waiting = f"/promotions/{number}/"
    found = set()
    for state, who, path in (
        (nothing, "admin", "/apps/"),
        (nothing, "admin", "/maintenance/"),
        (nothing, "admin", "/pipelines/shop/live/"),
        (nothing, "business-owner", f"/approvals/{number}/"),
        (locked, "devops", live),
        (phase_locked, "devops", "/pipelines/shop/live/"),
        (drifted, "release-manager", stage),
        (running, "release-manager", waiting),
        (errored, "release-manager", waiting),
        (over, "release-manager", waiting),
        (left, "release-manager", "/apps/shop/releases/1.1.0/"),
    ):
        state(world)
        found |= {name_of(link) for link in links(world.browser(who).get(path), path)}
    return found
