"""The record: append-only, chained, readable by whoever may see what it speaks of."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from phases.models import Application, Phase, Pipeline, Token, User
from relman.actors import Actor
from relman.audit import chain, queries, record, record_refusal, recorded
from relman.audit.models import Event, Link
from relman.errors import Forbidden, Invalid

pytestmark = pytest.mark.django_db


@pytest.fixture
def actor() -> Actor:
    return Actor(User.objects.create(username="nils", name="Nils Aalto"), "page", address="192.0.2.1")


@pytest.fixture
def application() -> Application:
    pipeline = Pipeline.objects.create(slug="shop", name="Shop")
    Phase.objects.create(pipeline=pipeline, slug="dev", name="Dev", position=1)
    return Application.objects.create(slug="till", name="Till", pipeline=pipeline)


def tamper(statement: str, *values: Any) -> None:
    """What the owner of the database could do: switch the triggers off and change a row."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement, values)
        cursor.execute("SET session_replication_role = origin")


def test_an_event_says_who_what_where_and_when(actor: Actor, application: Application) -> None:
    event = record("application.edited", actor=actor, subject=application, before={"name": "A"}, after={"name": "B"})
    assert (event.actor_name, event.via, event.address) == ("Nils Aalto", "page", "192.0.2.1")
    assert (event.subject_type, event.subject_id, event.subject) == ("application", application.pk, "Till")
    assert (event.application, event.pipeline_id, event.phase_id) == ("till", application.pipeline_id, None)
    assert event.at is not None and event.at.tzinfo is not None
    assert event.outcome == "done"


def test_an_event_costs_one_query(actor: Actor, application: Application, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        record("application.edited", actor=actor, subject=application)


def test_a_phase_brings_its_pipeline(actor: Actor, application: Application) -> None:
    phase = application.pipeline.phases.get()
    event = record("phase.edited", actor=actor, subject=phase)
    assert (event.phase_id, event.phase, event.pipeline_id) == (phase.pk, "dev", phase.pipeline_id)


def test_the_token_that_acted_is_named_by_its_prefix(actor: Actor) -> None:
    actor.token = Token(prefix="abcd1234", owner=actor.user, name="ci")
    assert record("x.done", actor=actor).token == "abcd1234"


def test_relman_itself_is_an_actor() -> None:
    event = record("promotion.expired", actor=Actor.system())
    assert (event.actor_id, event.actor_name, event.via) == (None, "RelMan", "system")


def test_secrets_never_get_in(actor: Actor) -> None:
    event = record(
        "configuration.set",
        actor=actor,
        before={"password": "hunter2", "deep": [{"token": "x", "secret": True}]},
        after={"note": "used rlm_abcd1234_0123456789abcdefghij"},
        detail="rlm_abcd1234_0123456789abcdefghij",
    )
    assert "hunter2" not in json.dumps(event.before)
    assert (event.before or {})["deep"][0] == {
        "token": "•••",
        "secret": True,
    }
    assert "0123456789" not in json.dumps(event.after) + event.detail


def test_what_postgresql_refuses_is_replaced_and_long_words_are_cut(actor: Actor) -> None:
    event = record("x.done", actor=actor, after={"a\x00": "b\x00"}, detail="c\x00" + "d" * 3000)
    event.refresh_from_db()
    assert event.after == {"a\ufffd": "b\ufffd"}
    assert len(event.detail) == 2000


@pytest.mark.parametrize("statement", ["UPDATE {} SET {} WHERE true", "DELETE FROM {}"])
@pytest.mark.parametrize(("table", "change"), [("audit_event", "verb = 'x'"), ("audit_link", "hash = 'x'")])
def test_the_database_refuses_changes(actor: Actor, statement: str, table: str, change: str) -> None:
    record("x.done", actor=actor)
    chain.seal()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(table, change))


def test_events_are_chained_in_order_of_sealing(actor: Actor) -> None:
    events = [record("x.done", actor=actor, detail=str(n)) for n in range(3)]
    assert chain.seal(limit=2) == 2
    assert chain.seal() == 1
    assert chain.seal() == 0
    assert list(Link.objects.values_list("sequence", "event_id")) == [(n + 1, e.pk) for n, e in enumerate(events)]
    assert chain.verify() is None and chain.unsealed() == 0


def test_an_event_that_commits_late_is_linked_late(actor: Actor) -> None:
    first = record("x.first", actor=actor)
    record("x.second", actor=actor)
    late = first.pk - 1
    chain.seal()
    Event.objects.create(id=late, verb="x.late", actor_name="Nils", via="page")
    assert chain.seal() == 1
    assert Link.objects.get(sequence=3).event_id == late
    assert chain.verify() is None


def test_a_changed_event_is_found(actor: Actor) -> None:
    for n in range(4):
        record("x.done", actor=actor, detail=str(n))
    chain.seal()
    link = Link.objects.get(sequence=3)
    tamper("UPDATE audit_event SET detail = 'nothing happened' WHERE id = %s", link.event_id)
    broken = chain.verify()
    assert broken is not None and broken.sequence == 3 and broken.event == link.event_id
    with pytest.raises(CommandError, match="broken at link 3") as failure:
        call_command("verify_audit")
    assert failure.value.returncode == 1


def test_a_deleted_event_is_found(actor: Actor) -> None:
    for _ in range(3):
        record("x.done", actor=actor)
    chain.seal()
    tamper("DELETE FROM audit_event WHERE id = %s", Link.objects.get(sequence=2).event_id)
    broken = chain.verify()
    assert broken is not None and broken.sequence == 2 and "missing" in broken.sentence
    tamper("DELETE FROM audit_link WHERE sequence = 2")
    broken = chain.verify()
    assert broken is not None and broken.sentence == "Link 2 is missing."
    tamper("DELETE FROM audit_link")
    tamper("DELETE FROM audit_event")


def test_a_cut_tail_is_found_by_a_checkpoint(actor: Actor, tmp_path: Path) -> None:
    for _ in range(3):
        record("x.done", actor=actor)
    kept = tmp_path / "checkpoint.json"
    call_command("verify_audit", write_checkpoint=kept, stdout=StringIO())
    tamper("DELETE FROM audit_link WHERE sequence = 3")
    assert chain.verify() is None
    broken = chain.verify(json.loads(kept.read_text()))
    assert broken is not None and broken.sequence == 3


def test_the_record_verifies_without_the_database(actor: Actor, tmp_path: Path) -> None:
    for n in range(3):
        record("x.done", actor=actor, detail=f"ü {n}", after={"n": n, "list": [1.5, None]})
    exported, said = tmp_path / "record.jsonl", StringIO()
    call_command("verify_audit", export=exported, stdout=said)
    assert "whole: 3 links" in said.getvalue()
    lines = exported.read_text().splitlines()
    assert chain.check_lines(lines) is None
    broken = chain.check_lines([line.replace("ü 1", "ü 9") for line in lines])
    assert broken is not None and broken.sequence == 2
    exported.write_text("\n".join(lines[1:]))
    with pytest.raises(CommandError, match="Link 1 is missing"):
        call_command("verify_audit", file=exported)


def test_a_refused_verb_is_recorded_though_its_work_is_rolled_back(actor: Actor, application: Application) -> None:
    @recorded("application.edited")
    def edit(subject: Application, *, actor: Actor) -> None:
        Pipeline.objects.create(slug="left", name="Left")
        raise Forbidden("Only DevOps may edit Till.")

    with pytest.raises(Forbidden):
        edit(application, actor=actor)
    event = Event.objects.get()
    assert (event.outcome, event.detail, event.application) == ("refused", "Only DevOps may edit Till.", "till")
    assert not Pipeline.objects.filter(slug="left").exists()


def test_a_verb_inside_a_verb_is_refused_once_and_bad_input_is_no_refusal(actor: Actor) -> None:
    @recorded("x.inner")
    def inner(*, actor: Actor, error: Exception) -> None:
        raise error

    @recorded("x.outer")
    def outer(*, actor: Actor, error: Exception) -> None:
        inner(actor=actor, error=error)

    for error in (Forbidden("No."), Invalid("Wrong.")):
        with pytest.raises(type(error)):
            outer(actor=actor, error=error)
    assert list(Event.objects.values_list("verb", "outcome")) == [("x.outer", "refused")]


def test_an_edge_can_record_a_refusal(actor: Actor) -> None:
    record_refusal("api.request", actor=actor, error=Forbidden("No."))
    assert Event.objects.get().outcome == "refused"


def test_one_sees_events_of_visible_phases_and_nothing_else(actor: Actor, application: Application) -> None:
    phase = application.pipeline.phases.get()
    other = Phase.objects.create(pipeline=application.pipeline, slug="live", name="Live", position=2)
    seen = record("phase.edited", actor=actor, subject=phase)
    hidden = record("phase.edited", actor=Actor.system(), subject=other)
    shared = record("application.edited", actor=Actor.system(), subject=application)
    own = record("token.issued", actor=actor)
    others = record("token.issued", actor=Actor.system())
    assert actor.user is not None
    sight = queries.Sight(phases=[phase.pk], pipelines=[phase.pipeline_id], applications=["till"], person=actor.user.pk)
    assert queries.events(sight).results == [own, shared, seen]
    assert queries.events(queries.Sight()).results == []
    assert queries.events(queries.Sight(everything=True)).results == [others, own, shared, hidden, seen]


def test_events_are_narrowed_and_paged(actor: Actor, application: Application, django_assert_num_queries: Any) -> None:
    everything = queries.Sight(everything=True)
    events = [record("x.done", actor=actor, subject=application) for _ in range(5)]
    record("y.done", actor=Actor.system(), outcome="refused")
    with django_assert_num_queries(1):
        first = queries.events(everything, verb="x", limit=3)
    second = queries.events(everything, verb="x.done", limit=3, after=first.next)
    assert first.results + second.results == events[::-1] and second.next is None
    assert actor.user is not None
    assert len(queries.events(everything, person=actor.user.pk, application="till").results) == 5
    assert len(queries.events(everything, outcome="refused").results) == 1
    assert len(queries.events(everything, since=events[2].at, until=events[4].at).results) >= 1
    assert queries.events(everything, phase="live").results == []
