"""What a million finished promotions cost: the queue, the sweep and the board, beside a database that holds 10,000.

    python -m tests.bench.million [--stored 1000000] [--few 10000]         or: make bench STORED=100000

Both databases stand on one server and are measured in turns, each first every second time, so that a noisy machine is
unfair to neither. Prints each median with its ratio, and how many rows of finished promotions were read without an
index. Ends with 1 when any large table was read from end to end.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from relman.embedded.throwaway import enter, stack
from tests.bench.board import page
from tests.bench.workers import FIVE

if TYPE_CHECKING:
    from phases.models import User
    from releases.models import Promotion
    from tests.factories import Shop

ROUNDS, EACH, WARM = 10, 3, 2
APPLICATIONS, RELEASES = 200, 10_000
TABLES = ("releases_promotion", "releases_step", "releases_logline", "audit_event", "audit_link")
FEW, MANY = "relman", "many"


def main() -> int:
    """Fill, copy, grow and measure; 1 when a large table was read from end to end."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--stored", type=int, default=os.environ.get("STORED", "1000000"))
    options.add_argument("--few", type=int, default=10_000)
    wanted = options.parse_args()
    with stack() as variables:
        enter(variables)
        shop, reader = small(wanted.few)
        logging.disable(logging.WARNING)
        stored = {FEW: finished()}
        begin = time.perf_counter()
        copied()
        with using(MANY):
            grow(wanted.stored)
            stored[MANY] = finished()
        print(
            f"{stored[FEW]:,} and {stored[MANY]:,} finished promotions; {time.perf_counter() - begin:.0f} s to copy in"
        )
        return compare(shop, reader)


def small(few: int) -> tuple[Shop, User]:
    """The usual big house with its reader, and a shop whose environment has as long a history, made by the verbs."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "relman.settings"
    import django

    django.setup()
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    from tests import factories
    from tests.bench.seed import PHASES, Size, fill

    setup_test_environment()
    call_command("migrate", verbosity=0)
    reader = fill(Size(APPLICATIONS, RELEASES, few))
    shop = factories.shop(script=FIVE)
    for number in range(max(2, few // (APPLICATIONS * len(PHASES)))):
        shop.bring(release := shop.release(f"1.{number}.0"), "dev")
    run(*(statement % {"digest": release.artifacts.get().digest} for statement in OPEN_ONES))
    run("VACUUM ANALYZE")
    return shop, reader


def run(*statements: str) -> None:
    """As the database's owner, each for itself."""
    from django.db import connection

    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def finished() -> int:
    """How many have ended."""
    from releases.models import Promotion
    from releases.statuses import ENDED

    return Promotion.objects.filter(status__in=ENDED).count()


@contextlib.contextmanager
def using(name: str) -> Iterator[None]:
    """Everything inside happens in this database."""
    from django.db import connection

    before = connection.settings_dict["NAME"]
    _enter(name)
    try:
        yield
    finally:
        _enter(before)


def _enter(name: str) -> None:
    """The old pool's connections are closed with it: a database is copied only while nobody uses it."""
    from django.db import connections

    from relman import background

    background.flush()
    one = connections["default"]
    one.close()
    one.close_pool()  # type: ignore[attr-defined]  # the stubs do not know pools
    one.settings_dict["NAME"] = name


def copied() -> None:
    """The same again, in a database beside."""
    with using("postgres"):
        run(f"CREATE DATABASE {MANY} TEMPLATE {FEW}")


def grow(stored: int) -> None:
    """Copy what has ended, with steps, lines, events and links, further and further back in time."""
    from releases.models import Promotion

    times = stored // max(1, finished()) - 1
    columns = [field for field in Promotion._meta.concrete_fields if not field.primary_key]
    names = ", ".join(f'"{field.column}"' for field in columns)
    dated = {"requested_at", "queued_at", "started_at", "finished_at"}
    values = ", ".join(
        f"p.{field.column} - n * interval '20 days'" if field.column in dated else f'p."{field.column}"'
        for field in columns
    )
    run(
        "SET session_replication_role = replica",  # no checks of what is a copy of what was checked
        f"INSERT INTO releases_promotion ({names}) SELECT {values} FROM releases_promotion p, "
        f"generate_series(1, {times}) AS n WHERE p.finished_at IS NOT NULL ORDER BY n, p.id",
        *BESIDE,
        "RESET session_replication_role",
        "VACUUM ANALYZE",
    )


def compare(shop: Shop, reader: User) -> int:
    """Both in turns; every figure is the median of all turns."""
    taken: dict[str, dict[str, list[float]]] = {FEW: {}, MANY: {}}
    read = dict.fromkeys(TABLES, 0)
    for number in range(ROUNDS):
        for name in (FEW, MANY) if number % 2 else (MANY, FEW):
            with using(name):
                jobs = measured(shop, reader)
                before = scanned()
                turn(jobs, taken[name])
                if name == MANY:
                    read = {table: read[table] + rows - before[table] for table, rows in scanned().items()}
    for what in taken[FEW]:
        few, many = (statistics.median(taken[name][what]) * 1000 for name in (FEW, MANY))
        print(f"{what}: {few:.1f} ms, with the million {many:.1f} ms: {many / few:.2f} times (aim: 1.2)")
    print("rows read from end to end: " + ", ".join(f"{table} {rows}" for table, rows in read.items()))
    return int(any(read.values()))


def turn(jobs: dict[str, Callable[[], float]], taken: dict[str, list[float]]) -> None:
    """Each job a few times to warm up a fresh connection, then measured."""
    for what, job in jobs.items():
        for _ in range(WARM):
            job()
        taken.setdefault(what, []).extend(job() for _ in range(EACH))


def measured(shop: Shop, reader: User) -> dict[str, Callable[[], float]]:
    """What is measured: each answers its seconds."""
    from releases.engine import sweep

    board = page(reader)
    return {
        "request": lambda: request_and_claim(shop)[0],
        "claim": lambda: request_and_claim(shop)[1],
        "sweep": lambda: clocked(sweep.round_once),
        "board": lambda: clocked(board),
    }


def clocked(job: Callable[[], object]) -> float:
    begin = time.perf_counter()
    job()
    return time.perf_counter() - begin


def request_and_claim(shop: Shop) -> tuple[float, float]:
    """Seconds of asking for a promotion, and of the doorbell's answer until it is in hand. Then it is carried out."""
    from releases.engine import lease, runner
    from releases.queries import turns

    release = shop.application.releases.latest("id")
    begin = time.perf_counter()
    promotion: Promotion = shop.ask(release, "dev")
    asked = time.perf_counter()
    ((number, environment), *_) = turns.due(promotion.pk)
    claim = lease.claim(number, environment=environment)
    done = time.perf_counter()
    if claim is None or claim.promotion.pk != promotion.pk:
        raise RuntimeError(f"{promotion} was not claimed.")
    runner.visit(claim)
    return asked - begin, done - asked


def scanned() -> dict[str, int]:
    """Rows that were read by sequential scans so far, by table."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT relname, coalesce(seq_tup_read, 0) FROM pg_stat_user_tables")
        rows = dict(cursor.fetchall())
    return {table: rows[table] for table in TABLES}


OPEN_ONES = (
    # What runs is in somebody's hand, and what waits could be asked about: its release has an artifact.
    "UPDATE releases_promotion SET lease_until = now() + interval '1 day' WHERE status = 'running'",
    """
    INSERT INTO releases_artifact (release_id, name, digest, size, path)
    SELECT release_id, 'app.tar.gz', '%(digest)s', 1, '' FROM releases_promotion WHERE status = 'waiting'
    """,
)
BESIDE = (
    """
    INSERT INTO releases_step (promotion_id, number, kind, name, "when", resume, timeout, max_attempts, parameters,
                               status, attempts, detail)
    SELECT p.id, n, 'noop', 'Step ' || n, 'run', 'idempotent', 60, 3, '{}', 'succeeded', 1, 'done'
    FROM releases_promotion p, generate_series(1, 2) AS n
    WHERE NOT EXISTS (SELECT FROM releases_step s WHERE s.promotion_id = p.id)
    """,
    """
    INSERT INTO releases_logline (promotion_id, step, at, level, text)
    SELECT id, 1, finished_at, 'good', 'done' FROM releases_promotion WHERE finished_at IS NOT NULL
    """,
    """
    INSERT INTO audit_event (at, verb, outcome, actor_name, actor_role, via, address, token, subject_type, subject_id,
                             subject, application, phase, version, digest, promotion_id, detail)
    SELECT finished_at, 'promotion.' || status, 'done', 'RelMan', '', 'system', '', '', 'promotion', id,
           'Promotion ' || id, 'app-' || id % 200, 'dev', '1.0.0', digest, id, 'done'
    FROM releases_promotion WHERE finished_at IS NOT NULL
    """,
    """
    INSERT INTO audit_link (sequence, event_id, hash)
    SELECT row_number() OVER (ORDER BY id) + (SELECT coalesce(max(sequence), 0) FROM audit_link), id, repeat('0', 64)
    FROM audit_event WHERE NOT EXISTS (SELECT FROM audit_link l WHERE l.event_id = audit_event.id)
    """,
)


if __name__ == "__main__":
    sys.exit(main())
