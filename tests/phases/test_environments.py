"""Environments, their components and locks."""

from __future__ import annotations

from typing import Any

import pytest

from phases import actions, locks, routing
from phases.drivers.base import DriverError, Finding
from phases.models import Environment, Lock
from relman.audit.models import Event
from relman.errors import Conflict, Forbidden, Invalid, NotFound
from tests.phases.world import World

pytestmark = pytest.mark.django_db


def test_an_environment_is_made_with_its_address(world: World, django_capture_on_commit_callbacks: Any) -> None:
    told: list[Any] = []
    with django_capture_on_commit_callbacks() as callbacks:
        environment = actions.create_environment(
            world.application, world.phase("live"), actor=world.actor("devops"), driver="scripted", instances=2
        )
    assert len(callbacks) >= 1 and not told
    assert environment.host == "till.live.localhost"
    route = routing.route_of(environment)
    assert (route.host, route.public) == ("till.live.localhost", True)
    assert routing.routes() == [route]
    event = Event.objects.latest("id")
    assert (event.verb, event.application, event.phase) == ("environment.created", "till", "live")


def test_wrong_role_outsider_twice_and_another_pipeline(world: World) -> None:
    live = world.phase("live")
    with pytest.raises(Forbidden, match="Who may: DevOps"):
        actions.create_environment(world.application, live, actor=world.actor("release-manager"))
    with pytest.raises(NotFound):
        actions.create_environment(world.application, live, actor=world.actor("outsider"))
    world.environment("live")
    with pytest.raises(Conflict, match="already"):
        world.environment("live")
    other = actions.create_pipeline("demo-live", actor=world.actor("admin"), name="Other", slug="other")
    stranger = actions.create_application(other, actor=world.actor("admin"), name="Stranger", slug="stranger")
    with pytest.raises(NotFound):
        actions.create_environment(stranger, live, actor=world.actor("devops"))


@pytest.mark.parametrize(
    "wrong", [{"driver": "nope"}, {"instances": 0}, {"instances": 13}, {"settings": {1: 2}}, {"memory": -1}]
)
def test_what_cannot_be_is_refused(world: World, wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        actions.create_environment(world.application, world.phase("qa"), actor=world.actor("devops"), **wrong)
    assert not Environment.objects.exists()


def test_size_and_settings_change(world: World) -> None:
    environment = world.environment("qa")
    actions.edit_environment(environment, actor=world.actor("devops"), instances=3, settings={"steps": 4})
    environment.refresh_from_db()
    assert (environment.instances, environment.settings) == (3, {"steps": 4})
    event = Event.objects.latest("id")
    assert event.before == {"instances": 1, "settings": {}} and (event.after or {})["instances"] == 3
    with pytest.raises(Forbidden):
        actions.edit_environment(environment, actor=world.actor("developer"), instances=1)


@pytest.mark.parametrize(
    ("driver", "settings", "named"),
    [
        ("local", {"verify": {"within": 86400}}, "“within” of “verify” is a number from 0 to 600, not 86400"),
        ("local", {"verify": "often"}, "“verify” is a mapping"),
        ("local", {"drian": 3}, "“drian” is no setting here. Did you mean “drain”?"),
        ("scripted", {"ledger": "/etc"}, "“ledger” is no setting here."),
        ("scripted", {"upstreams": ["127.0.0.1:22"]}, "“upstreams” is no setting here."),
        ("scripted", {"steps": [{"do": "sleep", "seconds": 1e9}]}, "“seconds” is a number from 0 to 3600"),
    ],
)
def test_settings_that_the_driver_cannot_use_are_not_saved(
    world: World, driver: str, settings: dict[str, Any], named: str
) -> None:
    devops, qa = world.actor("devops"), world.phase("qa")
    with pytest.raises(Invalid, match="not saved") as refused:
        actions.create_environment(world.application, qa, actor=devops, driver=driver, settings=settings)
    assert named in refused.value.extra["fields"]["settings"][0]
    made = actions.create_environment(world.application, qa, actor=devops, driver=driver)
    with pytest.raises(Invalid, match="not saved"):
        actions.edit_environment(made, actor=devops, settings=settings)
    assert Environment.objects.get().settings == {}


def test_settings_saved_before_anybody_judged_them_are_found_by_a_check(world: World) -> None:
    environment = world.environment("qa")
    Environment.objects.filter(pk=environment.pk).update(settings={"verify": 7})
    environment.refresh_from_db()
    (found,) = actions.check_environment(environment, actor=world.actor("devops"))
    assert not found.ok and "“verify” is a mapping" in found.sentence


class Stub:
    def __init__(self, *findings: Finding, error: Exception | None = None) -> None:
        self.findings, self.error = findings, error

    def check(self, target: Any) -> tuple[Finding, ...]:
        if self.error:
            raise self.error
        return self.findings


def test_a_check_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = world.environment("qa")
    found = Finding("disk", False, "The disk is full: make room on the target.")
    monkeypatch.setattr("phases.actions.environments.driver_of", lambda kind: Stub(found))
    assert actions.check_environment(environment, actor=world.actor("devops")) == [found]
    environment.refresh_from_db()
    assert environment.findings == [{"name": "disk", "ok": False, "sentence": found.sentence}]
    assert environment.checked_at is not None
    monkeypatch.setattr("phases.actions.environments.driver_of", lambda kind: Stub(error=DriverError("no answer")))
    (one,) = actions.check_environment(environment, actor=world.actor("devops"))
    assert not one.ok and "no answer" in one.sentence
    with pytest.raises(Forbidden):
        actions.check_environment(environment, actor=world.actor("developer"))
    assert Event.objects.latest("id").outcome == "refused"


def test_an_environment_is_removed(world: World) -> None:
    environment = world.environment("qa")
    with pytest.raises(Forbidden):
        actions.remove_environment(environment, actor=world.actor("developer"))
    actions.remove_environment(environment, actor=world.actor("devops"))
    assert not Environment.objects.exists()
    assert Event.objects.latest("id").detail == "Till no longer has an environment in QA."


def test_components_are_shared_only_when_declared(world: World) -> None:
    qa, live = world.environment("qa"), world.environment("live")
    devops = world.actor("devops")
    component = actions.add_component(qa, actor=devops, kind="database", name="main", identifier="db-1")
    with pytest.raises(Conflict, match="used in another phase"):
        actions.add_component(live, actor=devops, kind="database", name="main", identifier="db-1")
    actions.add_component(live, actor=devops, kind="database", name="main", identifier="db-1", shared=True)
    with pytest.raises(Conflict, match="already"):
        actions.add_component(qa, actor=devops, kind="queue", name="main")
    actions.remove_component(component, actor=devops)
    with pytest.raises(Forbidden):
        actions.add_component(qa, actor=world.actor("developer"), kind="queue", name="q")
    assert not qa.components.exists()


@pytest.mark.parametrize("scope", ["environment", "phase"])
def test_a_lock_is_set_once_and_released_once(world: World, scope: str) -> None:
    where = world.environment("live") if scope == "environment" else world.phase("live")
    made = actions.lock(where, actor=world.actor("release-manager"), reason="Stocktaking")
    with pytest.raises(Conflict, match="locked already"):
        actions.lock(where, actor=world.actor("devops"), reason="Again")
    assert Event.objects.filter(verb="lock.set", outcome="done", phase="live").count() == 1
    actions.unlock(made, actor=world.actor("devops"))
    assert Lock.objects.get().released_by == world.people["devops"]
    with pytest.raises(Conflict, match="not locked"):
        actions.unlock(made, actor=world.actor("devops"))
    assert actions.lock(where, actor=world.actor("devops"), reason="Again")


def test_a_lock_of_a_phase_is_told_to_every_page_that_shows_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    told: set[str] = set()
    monkeypatch.setattr(locks, "publish_on_commit", lambda *topics: told.update(topics))
    live = world.environment("live")
    wanted = {"board", f"phase:{live.phase_id}", f"environment:{live.pk}", f"application:{live.application.slug}"}
    made = actions.lock(world.phase("live"), actor=world.actor("devops"), reason="Stocktaking")
    assert told == wanted
    told.clear()
    actions.unlock(made, actor=world.actor("devops"))
    assert told == wanted


def test_locking_needs_freeze_and_a_reason(world: World) -> None:
    with pytest.raises(Forbidden):
        actions.lock(world.phase("live"), actor=world.actor("developer"), reason="x")
    with pytest.raises(NotFound):
        actions.lock(world.phase("live"), actor=world.actor("outsider"), reason="x")
    with pytest.raises(Invalid, match="Say why"):
        actions.lock(world.phase("live"), actor=world.actor("devops"), reason=" ")
