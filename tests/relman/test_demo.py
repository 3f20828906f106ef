"""The demo's filling: it goes on where it was interrupted, and leaves alone what was restored."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command

from phases import tokens
from phases.models import Application, Pipeline, User
from releases import dispatch
from releases.models import Promotion, Release
from relman.actors import Actor
from relman.management import seeds
from relman.management.commands import demo
from tests import factories

STORY = seeds.Story(
    slug="shop",
    name="Shop",
    description="A sample.",
    sample="storefront",
    configuration={"*": {"GREETING": "Hello"}},
    chapters=(
        seeds.Chapter(
            version="1.0.0",
            through=("dev", "qa", "stage", "live"),
            notes="First.",
            changes=(seeds.Item("Begin"),),
            commit="abc",
        ),
        seeds.Chapter(
            version="1.1.0",
            through=("dev", "qa", "stage"),
            notes="Second.",
            changes=(),
            commit="abd",
            waits_in="live",
            approval="Seen.",
        ),
    ),
)


class Interrupted(Exception):
    """Somebody pressed Ctrl-C."""


@pytest.fixture
def home(settings, tmp_path):
    settings.HOME, settings.DEMO = tmp_path, True
    return tmp_path


def known(home: Path) -> dict[str, dict[str, str]]:
    """The accounts that were handed out."""
    return {row["username"]: row for row in json.loads((home / "demo-accounts.json").read_text())}


def owner_of(text: str) -> User | None:
    """Whose token it is; None where it is not accepted."""
    found = tokens.authenticate(text)
    return found[0] if found else None


def test_what_was_restored_is_not_filled_again_and_only_the_demos_accounts_get_known(db, home):
    made = factories.shop()
    for name in ("developer", "devops"):
        factories.person(name)
    developer, jane = User.objects.get(username="developer"), User.objects.get(username="devops")
    _, old = tokens.issue(developer, actor=Actor(developer, "page"), name=demo.TOKEN)
    jane.set_password("Jane's own, and nobody else's")
    jane.save()
    call_command("demo")
    (account,) = known(home).values()
    assert account["username"] == "developer"
    assert authenticate(None, username="developer", password=account["password"]) == developer
    for token in (account["token"], old):
        assert owner_of(token) == developer
    assert authenticate(None, username="devops", password="Jane's own, and nobody else's") == jane
    assert list(Pipeline.objects.all()) == [made.pipeline] and Application.objects.count() == 1
    assert stat.S_IMODE((home / "demo-accounts.json").stat().st_mode) == 0o600


def test_a_filling_that_was_interrupted_goes_on_with_the_same_accounts(db, home, monkeypatch):
    told: list[str] = []

    def tell(story, pipeline, actors):
        told.append(story.slug)
        if told == ["storefront", "payments"]:
            raise Interrupted

    monkeypatch.setattr(demo, "tell", tell)
    with pytest.raises(Interrupted):
        call_command("demo", stdout=io.StringIO())
    assert not (home / "demo-accounts.json").exists()
    before = {user.username: user.password for user in User.objects.all()}
    call_command("demo", stdout=io.StringIO())
    assert {user.username: user.password for user in User.objects.all()} == before
    assert told[2:] == [story.slug for story in seeds.STORIES]
    assert set(known(home)) == {*seeds.ROLES, "admin"}
    for account in known(home).values():
        assert owner_of(account["token"]) == User.objects.get(username=account["username"])
    assert not (home / "keys" / demo.BEGUN).exists()
    assert Pipeline.objects.get().phases.get(slug="dev").grants.count() == len(seeds.ROLES)


@pytest.mark.parametrize("interrupted_at", [0, 3, 5])
def test_a_story_that_was_interrupted_is_told_to_its_end_and_nothing_in_it_twice(
    transactional_db, monkeypatch, interrupted_at
):
    """Committed, because the engine works in threads of its own; nobody rings for it."""
    monkeypatch.setattr(dispatch, "ring_now", lambda number: None)
    shop = factories.shop()
    actors = {role: shop.actor(role) for role in (*seeds.ROLES, "admin")}
    seen: list[Promotion] = []

    def wait(promotion, *, expected):
        seen.append(promotion)
        if len(seen) == interrupted_at + 1:
            raise Interrupted
        assert factories.run(promotion).status == expected

    monkeypatch.setattr(demo, "wait", wait)
    with pytest.raises(Interrupted):
        demo.tell(STORY, shop.pipeline, actors)
    demo.tell(STORY, shop.pipeline, actors)
    demo.tell(STORY, shop.pipeline, actors)
    assert Release.objects.count() == 2
    there = [(p.release.version, p.environment.phase.slug, p.status) for p in Promotion.objects.order_by("id")]
    done = [("1.0.0", phase, "succeeded") for phase in ("dev", "qa", "stage", "live")]
    assert there == [*done, *(("1.1.0", phase, "succeeded") for phase in ("dev", "qa", "stage")),
                     ("1.1.0", "live", "waiting")]  # fmt: skip
    assert [one.person.username for one in Promotion.objects.latest("id").approvals.all()] == ["shop-qa-engineer"]
