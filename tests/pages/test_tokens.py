"""Tokens on one's profile: an end, limits, and never more than one has."""

import re
from datetime import timedelta

from phases import permissions, queries
from phases.models import Token
from phases.tokens import issue
from relman.actors import Actor
from relman.clock import now


def test_a_token_ends_in_90_days_unless_one_says_otherwise(world):
    client = world.browser("developer")
    page = client.get("/me/").content.decode()
    assert '<option value="90" selected>In 90 days</option>' in page
    client.post("/me/", {"token": "1", "token_name": "Build"})
    client.post("/me/", {"token": "1", "token_name": "Forever", "ends": "never"})
    build, forever = (Token.objects.get(name=name) for name in ("Build", "Forever"))
    assert build.expires_at is not None
    assert timedelta(days=89) < build.expires_at - now() < timedelta(days=91)
    assert forever.expires_at is None
    assert "Never" in client.get("/me/").content.decode()


def test_a_token_is_limited_to_what_was_ticked(world):
    client = world.browser("developer")
    wish = {"token_name": "Only QA", "rights": ["view", "promote"], "phases": ["shop/qa"], "applications": ["shop"]}
    page = client.post("/me/", {"token": "1", **wish}).content.decode()
    token = Token.objects.get(name="Only QA")
    assert queries.token_lines(world.shop.actor("developer"))[0].scope == "promote, view, for Shop, in QA"
    assert "promote, view, for Shop, in QA" in page
    actor = Actor(token.owner, "api", token=token)
    phases = world.shop.environments
    assert permissions.can(actor, "promote", phases["qa"]) and not permissions.can(actor, "promote", phases["dev"])


def test_a_token_can_be_given_no_more_than_one_has(world):
    client = world.browser("stakeholder")
    page = client.get("/me/").content.decode()
    assert 'value="open"' in page and 'value="promote"' not in page and 'value="shop/dev"' not in page
    assert 'value="bakery"' not in page
    for more in ({"rights": ["promote"]}, {"phases": ["shop/dev"]}, {"applications": ["bakery"]}, {"ends": "9999"}):
        sent = {"token": "1", "token_name": "Too much", "rights": ["view"], **more}
        answer = client.post("/me/", sent)
        assert answer.status_code == 400
        text = answer.content.decode()
        assert 'value="Too much"' in text, "What was typed stays."
        if "rights" not in more:
            assert re.search(r'name="rights" value="view"[^>]* checked', text), "What was ticked stays."
    assert not Token.objects.filter(name="Too much").exists()


def test_an_ended_token_says_so(world):
    owner = world.user("developer")
    issue(owner, actor=Actor(owner, "page"), name="Old", expires_at=now() + timedelta(days=1))
    Token.objects.filter(name="Old").update(expires_at=now() - timedelta(days=1))
    assert "Ended <time" in world.browser("developer").get("/me/").content.decode()
