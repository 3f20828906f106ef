"""Archives: the good are unpacked as they are, the hostile are refused whole and nothing is written outside."""

from __future__ import annotations

import gzip
import io
import os
import stat
import struct
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from phases.drivers import archive_formats
from phases.drivers.archive import ArchiveRefused, inspect_archive, unpack_archive
from phases.drivers.archive_errors import Findings
from phases.drivers.manifest import read_manifest
from tests.phases.drivers.archives import TOML, link, member, tar, zipped


def refusal(path: Path, **limits: Any) -> str:
    """All that is said about a bad archive; both doors must refuse, and nothing may appear outside."""
    with pytest.raises(ArchiveRefused) as first:
        inspect_archive(path, **limits)
    outside = Path(tempfile.mkdtemp(dir=path.parent))
    inside = outside / "inside"
    inside.mkdir()
    with pytest.raises(ArchiveRefused) as second:
        unpack_archive(path, inside, **limits)
    assert second.value.errors == first.value.errors
    assert os.listdir(outside) == ["inside"]
    assert all(error.cure and error.place for error in first.value.errors)
    assert not any(
        error.sentence + error.place != (error.sentence + error.place).strip() for error in first.value.errors
    )
    return "\n".join(f"{e.place}: {e.sentence}" for e in first.value.errors)


def test_a_sound_archive_comes_out_as_it_went_in(tmp_path: Path) -> None:
    path = tar(
        tmp_path / "a.tgz",
        member("./", type=tarfile.DIRTYPE),
        member("./bin/run", b"#!/bin/sh", mode=0o4755),
        member("static/naïve.css", b"x" * 700_000, mode=0o666),
        link("node_modules/.bin/tool", "../tool/cli.js"),
        link("node_modules/self", "../node_modules"),
        link("copy", "bin/run", tarfile.LNKTYPE),
        member("a/" * 60 + "deep.txt", b"deep"),
    )
    out = tmp_path / "out"
    out.mkdir()
    manifest = unpack_archive(path, out)
    assert manifest == inspect_archive(path)
    assert manifest["run"] == {"command": "python3 app.py", "health": "/healthz", "version": "/version"}
    assert manifest["configuration"] == {"required": []}
    assert stat.S_IMODE((out / "bin/run").stat().st_mode) == 0o755
    assert stat.S_IMODE((out / "static/naïve.css").stat().st_mode) == 0o644
    assert (out / "static/naïve.css").stat().st_size == 700_000
    assert os.readlink(out / "node_modules/.bin/tool") == "../tool/cli.js"
    assert (out / "copy").read_bytes() == b"#!/bin/sh"
    assert (out / ("a/" * 60)).is_dir()


def test_a_sound_zip_too(tmp_path: Path) -> None:
    script = zipfile.ZipInfo("bin/run")
    script.external_attr = (stat.S_IFREG | 0o4755) << 16
    shortcut = zipfile.ZipInfo("current")
    shortcut.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = zipped(tmp_path / "a.zip", [(script, b"#!"), (shortcut, b"bin/run"), ("empty/", b"")])
    out = tmp_path / "out"
    out.mkdir()
    unpack_archive(path, out)
    assert stat.S_IMODE((out / "bin/run").stat().st_mode) == 0o755
    assert os.readlink(out / "current") == "bin/run"
    assert (out / "empty").is_dir()


NAMES = {
    "/etc/passwd": "absolute",
    "C:/windows": "absolute",
    "../up": "upwards",
    "a/../../up": "upwards",
    "a\\b": "backslash",
    "new\nline": "control characters",
    "esc\x1b[2J": "control characters",
    "\u202egpj.exe": "control characters",
    "n" * 300: "too long",
    "deep/" * 500 + "x": "too long",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_bad_names_are_refused(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / "bad"
    if kind == "tar":
        tar(path, member(name, b"x"))
    else:
        zipped(path, [(name, b"x")])
    said = refusal(path)
    assert NAMES[name] in said
    assert all(line.isprintable() for line in said.split("\n"))


def test_names_that_are_not_utf8_or_hide_behind_a_nul(tmp_path: Path) -> None:
    raw = tmp_path / "raw.tgz"
    with tarfile.open(raw, "w:gz", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        for name, data in (("relman.toml", TOML), ("caf\xe9", b"")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert "UTF-8" in refusal(raw)
    path = zipped(tmp_path / "nul.zip", [("goodXevil", b"x")])
    path.write_bytes(path.read_bytes().replace(b"goodXevil", b"good\0evil"))
    assert "control characters" in refusal(path)


LINKS: dict[str, list[tuple[tarfile.TarInfo, bytes]]] = {
    "absolute": [link("l", "/etc/passwd")],
    "up": [link("l", "../x")],
    "up from a folder": [link("a/l", "../../x")],
    "out and back in": [link("a/l", "../../a/x")],
    "chained": [link("a/b/up", "../.."), link("l", "a/b/up/../x")],
    "chained twice": [link("one", "a/b"), link("a/b", ".."), link("two", "one/../../x")],
    "circle": [link("l", "m"), link("m", "l")],
    "nowhere": [link("l", "")],
    "stored below a link": [link("a", "b"), member("b/x"), member("a/y", b"x")],
    "link below a link to the root": [link("self", "."), link("self/up", "..")],
    "hard link out": [link("h", "../../etc/passwd", tarfile.LNKTYPE)],
    "hard link absolute": [link("h", "/etc/passwd", tarfile.LNKTYPE)],
    "hard link to a link": [link("l", "relman.toml"), link("h", "l", tarfile.LNKTYPE)],
    "hard link through a link": [link("l", "."), link("h", "l/relman.toml", tarfile.LNKTYPE)],
    "hard link to nothing": [link("h", "missing", tarfile.LNKTYPE)],
    "link then file of its name": [link("x", "/tmp"), member("x", b"overwritten")],
}


@pytest.mark.parametrize("case", LINKS)
def test_links_that_leave_are_refused(tmp_path: Path, case: str) -> None:
    assert "link" in refusal(tar(tmp_path / "bad.tgz", *LINKS[case]))


def test_a_link_in_a_zip_that_leaves(tmp_path: Path) -> None:
    shortcut = zipfile.ZipInfo("l")
    shortcut.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert "leads out" in refusal(zipped(tmp_path / "bad.zip", [(shortcut, b"../../x")]))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"Z"])
def test_devices_and_pipes(tmp_path: Path, kind: bytes) -> None:
    assert "device, a pipe" in refusal(tar(tmp_path / "bad.tgz", member("d", type=kind)))


def test_a_device_in_a_zip(tmp_path: Path) -> None:
    device = zipfile.ZipInfo("d")
    device.external_attr = (stat.S_IFCHR | 0o666) << 16
    assert "device" in refusal(zipped(tmp_path / "bad.zip", [(device, b"")]))


def test_duplicates_and_case_tricks(tmp_path: Path) -> None:
    assert "more than once" in refusal(tar(tmp_path / "1", member("x"), member("./x", b"other")))
    assert "upper and lower case" in refusal(tar(tmp_path / "2", member("Readme"), member("README")))
    assert "upper and lower case" in refusal(tar(tmp_path / "3", member("A/x"), member("a/y")))
    assert "accents" in refusal(tar(tmp_path / "4", member("caf\u00e9"), member("cafe\u0301")))
    assert "which is a file" in refusal(tar(tmp_path / "5", member("x"), member("x/y")))
    assert "more than once" in refusal(tar(tmp_path / "6", member("x/y"), member("x")))


def test_every_error_is_listed_at_once(tmp_path: Path) -> None:
    path = tar(tmp_path / "bad", member("../a"), link("l", "/b"), toml=b'[run]\ncomand = "x"\n[extra]\n')
    said = refusal(path)
    assert all(word in said for word in ("upwards", "absolute path", "'comand' is unknown", "'extra'", "'health'"))
    many = refusal(tar(tmp_path / "many", *[member(f"../{n}") for n in range(200)]))
    assert many.endswith("150 more errors like these.")


def test_bombs_by_size_and_count(tmp_path: Path) -> None:
    big = tar(tmp_path / "big", member("zero", bytes(3_000_000)))
    assert "larger than 1.0 MiB" in refusal(big, max_bytes=2**20)
    many = tar(tmp_path / "many", *[member(f"f{n}") for n in range(30)])
    assert "more than 20 entries" in refusal(many, max_entries=20)
    assert "larger than 1.0 MiB" in refusal(zipped(tmp_path / "z", [("zero", bytes(3_000_000))]), max_bytes=2**20)
    names = zipped(tmp_path / "zn", [(f"f{n}", b"") for n in range(30)])
    assert "more than 20 entries" in refusal(names, max_entries=20)
    inspect_archive(big)
    inspect_archive(many)


def test_what_unpacks_to_many_times_its_size_is_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_formats, "SMALL", 2**20)
    zeros, noise = bytes(3_000_000), os.urandom(100_000)
    for path in (tar(tmp_path / "t", member("z", zeros)), zipped(tmp_path / "z", [("z", zeros)])):
        assert "more than 50 times as large as packed" in refusal(path)
    inspect_archive(tar(tmp_path / "noise", member("z", zeros), member("n", noise)))


def test_a_size_that_is_too_large_is_refused_before_anything_is_unpacked(tmp_path: Path) -> None:
    info = tarfile.TarInfo("disk")
    info.size = 2**40
    path = tmp_path / "claim"
    path.write_bytes(gzip.compress(info.tobuf() + bytes(10_000)))
    ticks: list[int] = []
    with pytest.raises(ArchiveRefused, match="more than 50 times"):
        inspect_archive(path, tick=lambda: ticks.append(1))
    many = zipped(tmp_path / "z", [(f"f{n}", bytes(400_000)) for n in range(3)])
    with pytest.raises(ArchiveRefused, match=r"larger than 1\.0 MiB"):
        inspect_archive(many, max_bytes=2**20, tick=lambda: ticks.append(1))
    assert not ticks


def test_a_bomb_hidden_in_a_header(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.pax_headers = {"comment": "A" * 3_000_000}
    assert "far too long" in refusal(tar(tmp_path / "pax", (info, b"")))
    chain = b"".join(tarfile.TarInfo("x").create_pax_global_header({"a": "b"}) for _ in range(3000))
    path = tmp_path / "chain"
    path.write_bytes(gzip.compress(chain))
    refusal(path)


def test_a_bomb_after_the_end(tmp_path: Path) -> None:
    path = tar(tmp_path / "tail")
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + bytes(8_000_000)))
    assert "larger than" in refusal(path, max_bytes=2**20, max_entries=10)


def test_damaged_and_foreign_files(tmp_path: Path) -> None:
    good = tar(tmp_path / "good", member("x", os.urandom(100_000))).read_bytes()
    for name, data in {
        "cut": good[:-30_000],
        "checksum": good[:-8] + b"\0\0\0\0" + good[-4:],
        "nothing": b"",
        "text": b"hello",
        "plain tar": gzip.decompress(good),
        "gzip of text": gzip.compress(b"hello" * 1000),
    }.items():
        path = tmp_path / name
        path.write_bytes(data)
        assert refusal(path)


def test_a_header_broken_in_the_middle_is_not_the_end(tmp_path: Path) -> None:
    data = bytearray(gzip.decompress(tar(tmp_path / "good", member("x", b"1"), member("y", b"2")).read_bytes()))
    data[1024 + 1] ^= 0xFF
    path = tmp_path / "bad"
    path.write_bytes(gzip.compress(bytes(data)))
    assert "damaged" in refusal(path)


def test_negative_sizes_do_not_loop(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[124:136] = b"\xff" * 10 + b"\xf0\x00"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    path = tmp_path / "bad"
    path.write_bytes(gzip.compress(bytes(block) + bytes(4096)))
    assert refusal(path)


def test_lying_and_encrypted_zips(tmp_path: Path) -> None:
    good = zipped(tmp_path / "good", [("payload", b"x" * 5000)]).read_bytes()
    local, central = good.index(b"payload") - 30, good.rindex(b"payload") - 46
    cases: dict[str, tuple[int, bytes]] = {
        "local size": (local + 22, struct.pack("<I", 7)),
        "local name": (local + 30, b"../../x"),
        "local method": (local + 8, b"\x00\x00"),
        "central size": (central + 24, struct.pack("<I", 10)),
        "central checksum": (central + 16, b"\0\0\0\0"),
        "central method": (central + 10, b"\x0e\x00"),
        "encrypted": (central + 8, b"\x01\x00"),
        "offset": (central + 42, struct.pack("<I", 0)),
    }
    for name, (at, value) in cases.items():
        path = tmp_path / name
        path.write_bytes(good[:at] + value + good[at + len(value) :])
        assert refusal(path), name


def test_a_zip_whose_entries_share_bytes(tmp_path: Path) -> None:
    data = bytearray(zipped(tmp_path / "good", [("aaaa", bytes(100_000)), ("aaaa2", b"")]).read_bytes())
    second = data.rindex(b"aaaa2") - 46
    data[second + 42 : second + 46] = struct.pack("<I", data.index(b"aaaa") - 30)
    path = tmp_path / "bad"
    path.write_bytes(data)
    assert "shares bytes" in refusal(path)


def test_a_zip_with_something_before_it_or_zip64(tmp_path: Path) -> None:
    good = zipped(tmp_path / "good", [("x", b"x")]).read_bytes()
    for name, data in {
        "before": good[:4] + b"junk" + good,
        "after": good + b"junk",
        "script": b"#!/bin/sh\n" + good,
    }.items():
        path = tmp_path / name
        path.write_bytes(data)
        assert refusal(path)


def test_the_manifest_is_read_strictly(tmp_path: Path) -> None:
    def said(toml: str) -> str:
        return refusal(tar(tmp_path / "m", toml=toml.encode()))

    assert "no file relman.toml" in refusal(tar(tmp_path / "none", toml=None))
    with pytest.raises(ArchiveRefused) as wrapped:
        inspect_archive(tar(tmp_path / "w", member("app-1.0/relman.toml", TOML), toml=None))
    assert "tar -C app-1.0" in wrapped.value.errors[0].cure
    assert "not valid TOML" in said("[run")
    assert "[run] is missing" in said("")
    assert "must be a path" in said('[run]\ncommand="x"\nhealth="http://evil/"')
    assert "must be a path" in said('[run]\ncommand="x"\nhealth="//evil/"')
    assert "'command' is missing" in said('[run]\nhealth="/"')
    assert "control characters" in said('[run]\ncommand="a\\u0000b"\nhealth="/"')
    run = '[run]\ncommand="x"\nhealth="/"\n'
    assert "PORT is set by RelMan" in said(run + '[configuration]\nrequired=["PORT"]')
    assert "cannot be the name" in said(run + '[configuration]\nrequired=["a b"]')
    assert "'resume' must be" in said(run + '[migrate]\ncommand="x"\nresume="always"')
    assert "not a table" in said('run = "x"')
    assert "larger than 64 KiB" in said("#" * 70_000)


def test_the_manifest_fills_in_what_was_left_out(tmp_path: Path) -> None:
    toml = b'[run]\ncommand="x"\nhealth="/"\n[migrate]\ncommand="y"\n[configuration]\nrequired=["A","A","B"]'
    assert inspect_archive(tar(tmp_path / "m", toml=toml)) == {
        "run": {"command": "x", "health": "/"},
        "configuration": {"required": ["A", "B"]},
        "migrate": {"command": "y", "reversible": False, "resume": "never"},
    }


def test_the_work_can_be_ended_from_outside(tmp_path: Path) -> None:
    class Ended(Exception): ...

    def end() -> None:
        raise Ended

    with pytest.raises(Ended):
        inspect_archive(tar(tmp_path / "a"), tick=end)


def test_a_manifest_of_dots_is_refused_before_it_is_read() -> None:
    """One key of 64 KiB would keep its reader busy for a quarter of a minute."""
    findings, began = Findings(), time.thread_time()
    assert read_manifest(b"a." * 30_000 + b"b = 1", findings) == {}
    with pytest.raises(ArchiveRefused, match="more than 200 dots"):
        findings.raise_if_any()
    assert time.thread_time() - began < 2
    assert read_manifest(b'[run]\ncommand = "./a.sh a.b.c"\nhealth = "/"\n', Findings())["run"]["health"] == "/"
