"""Version rules: format, order, channel."""

import pytest

from releases.versions import after, parse

ORDERED = [
    "0.9.9",
    "1.0.0-1",
    "1.0.0-2",
    "1.0.0-10",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-alpha-b",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "1.2.0",
    "1.10.0",
    "2.0.0",
    "2026.24.3",
]


def test_precedence_sorts_as_the_standard_says():
    keys = [parse(version).precedence for version in ORDERED]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_build_metadata_is_the_same_version():
    assert parse("1.0.0+a").precedence == parse("1.0.0+b").precedence


@pytest.mark.parametrize(
    ("version", "channel"),
    [("1.0.0", "stable"), ("1.0.0-rc.1", "rc"), ("1.0.0-1.beta", "beta"), ("1.0.0-7", "pre")],
)
def test_the_channel_is_the_first_word(version, channel):
    assert parse(version).channel == channel


WRONG = ["", "1", "1.2", "v1.2.3", "1.2.3.4", "01.2.3", "1.2.3-01", "1.0.0\n", "9" * 21 + ".0.0", "1.0.0-" + "a" * 200]


@pytest.mark.parametrize("version", WRONG)
def test_what_is_no_version_is_refused_with_a_sentence(version):
    with pytest.raises(ValueError, match=r"\.$"):
        parse(version)


@pytest.mark.parametrize(("version", "next_one"), [("1.4.2", "1.5.0"), ("2.0.0-rc.1", "2.0.0"), ("0.9.0+5", "0.10.0")])
def test_the_version_that_usually_comes_after(version, next_one):
    assert after(version) == next_one
