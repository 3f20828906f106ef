"""Where requests go: small files, switched by one rename."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.gateway import slots
from phases.gateway.errors import GatewayError, Stale


def contents(folder: Path, environment: int) -> list[str]:
    return [slots.slot(folder, environment, number).read_text() for number in range(slots.SLOTS)]


def test_instances_fill_the_slots_in_a_circle(tmp_path: Path) -> None:
    slots.switch(tmp_path, 7, ["127.0.0.1:1001", "127.0.0.1:1002", "[::1]:1003"])
    assert contents(tmp_path, 7) == ["127.0.0.1:1001", "127.0.0.1:1002", "[::1]:1003"] * 4
    assert slots.upstreams(tmp_path, 7) == ["127.0.0.1:1001", "127.0.0.1:1002", "[::1]:1003"]


def test_nothing_live_is_empty_slots(tmp_path: Path) -> None:
    assert slots.upstreams(tmp_path, 7) == []
    slots.prepare(tmp_path, 7)
    assert contents(tmp_path, 7) == [""] * slots.SLOTS
    assert slots.upstreams(tmp_path, 7) == []


def test_preparing_again_keeps_what_is_live(tmp_path: Path) -> None:
    slots.switch(tmp_path, 7, ["127.0.0.1:1001"])
    slots.prepare(tmp_path, 7)
    assert slots.upstreams(tmp_path, 7) == ["127.0.0.1:1001"]


@pytest.mark.parametrize(
    "address",
    ["", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", "{file./etc/passwd}", "unix//tmp/x", "a b:80", "host:80\n",
     "127.0.0.1:80/../..", "-x:80", "127.0.0.1:1,127.0.0.1:2"],
)  # fmt: skip
def test_only_addresses_are_taken(tmp_path: Path, address: str) -> None:
    slots.switch(tmp_path, 7, ["127.0.0.1:1001"])
    with pytest.raises(GatewayError):
        slots.switch(tmp_path, 7, ["127.0.0.1:1002", address])
    assert slots.upstreams(tmp_path, 7) == ["127.0.0.1:1001"]


def test_more_instances_than_slots_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GatewayError, match="at most 12"):
        slots.switch(tmp_path, 7, [f"127.0.0.1:{1000 + number}" for number in range(13)])


def test_a_replaced_promotion_comes_too_late(tmp_path: Path) -> None:
    slots.switch(tmp_path, 7, ["127.0.0.1:1001"], epoch=4)
    slots.switch(tmp_path, 7, ["127.0.0.1:1002"], epoch=5)
    with pytest.raises(Stale, match="epoch 5"):
        slots.switch(tmp_path, 7, ["127.0.0.1:1001"], epoch=4)
    slots.switch(tmp_path, 7, ["127.0.0.1:1003"])
    with pytest.raises(Stale):
        slots.switch(tmp_path, 7, ["127.0.0.1:1001"], epoch=4)
    assert slots.upstreams(tmp_path, 7) == ["127.0.0.1:1003"]


def test_old_generations_go_but_not_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        slots.switch(tmp_path, 7, [f"127.0.0.1:{1000 + number}"])
    room = tmp_path / "environments" / "7"
    assert len([path for path in room.iterdir() if path.is_dir() and not path.is_symlink()]) == 10
    monkeypatch.setattr(slots, "KEEP_SECONDS", 0.0)
    slots.switch(tmp_path, 7, ["127.0.0.1:2000"])
    left = [path for path in room.iterdir() if path.is_dir() and not path.is_symlink()]
    assert len(left) == 1 + slots.KEEP_GENERATIONS
    assert slots.upstreams(tmp_path, 7) == ["127.0.0.1:2000"]


def test_a_crash_before_the_rename_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slots.switch(tmp_path, 7, ["127.0.0.1:1001"])

    def crash(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            slots.switch(tmp_path, 7, ["127.0.0.1:1002"])
    assert contents(tmp_path, 7) == ["127.0.0.1:1001"] * slots.SLOTS
    slots.switch(tmp_path, 7, ["127.0.0.1:1003"])
    assert contents(tmp_path, 7) == ["127.0.0.1:1003"] * slots.SLOTS


def test_a_reader_never_sees_a_half_switch(tmp_path: Path) -> None:
    slots.switch(tmp_path, 7, ["127.0.0.1:1000"])
    wrong: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            content = slots.slot(tmp_path, 7, 11).read_text()
            if not slots.ADDRESS.fullmatch(content):
                wrong.append(content)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(200):
            slots.switch(tmp_path, 7, [f"127.0.0.1:{1000 + number}"])
    finally:
        done.set()
        reader.join()
    assert not wrong


def test_racing_switches_leave_one_whole_generation(tmp_path: Path) -> None:
    racers = [
        threading.Thread(target=slots.switch, args=(tmp_path, 7, [f"127.0.0.1:{port}", f"127.0.0.1:{port + 100}"]))
        for port in range(1000, 1020)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    first, second = slots.upstreams(tmp_path, 7)
    assert int(second.split(":")[1]) == int(first.split(":")[1]) + 100


def test_what_is_kept_is_private(tmp_path: Path) -> None:
    slots.switch(tmp_path, 7, ["127.0.0.1:1001"])
    assert os.stat(tmp_path / "environments" / "7").st_mode & 0o077 == 0


@given(st.from_regex(slots.ADDRESS, fullmatch=True))
def test_what_is_taken_as_an_address_is_no_placeholder_and_no_path(text: str) -> None:
    assert not set(text) & set("{}/\\ \n\t,;")
