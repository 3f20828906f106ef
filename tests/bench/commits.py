"""The floor of many promotions: as many commits of one small change each, in two processes, on the same PostgreSQL."""

from __future__ import annotations

import multiprocessing
import multiprocessing.synchronize
import os
import time

import psycopg

EACH = 6
"""Commits of a promotion with five steps: its claim with the first step's beginning, four boundaries, its end. None can
be spared: what begins is on the disk before it begins, and what ended before the next one begins."""


def floor(promotions: int, *, processes: int = 2) -> float:
    """Seconds that the commits of so many promotions take, spread over these processes."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as one:
        one.execute("CREATE TABLE IF NOT EXISTS bench_commits (id int PRIMARY KEY, said int)")
        one.execute("INSERT INTO bench_commits SELECT generate_series(1, 8), 0 ON CONFLICT DO NOTHING")
    spawn = multiprocessing.get_context("spawn")
    gate = spawn.Barrier(processes + 1)
    share = promotions * EACH // processes
    clerks = [spawn.Process(target=_commit, args=(number, share, gate)) for number in range(1, processes + 1)]
    for clerk in clerks:
        clerk.start()
    gate.wait(60)
    begin = time.perf_counter()
    gate.wait(300)
    took = time.perf_counter() - begin
    for clerk in clerks:
        clerk.join()
    return took


def _commit(number: int, times: int, gate: multiprocessing.synchronize.Barrier) -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as one:
        gate.wait(60)
        for _ in range(times):
            one.execute("UPDATE bench_commits SET said = said + 1 WHERE id = %s", (number,), prepare=True)
        gate.wait(300)
