"""What templates say: the pure ones of the tags."""

from __future__ import annotations

from relman.templatetags.relman_tags import bare, ended, more, rich


def test_a_long_version_may_break_at_its_plus():
    assert rich("**1.9.0-beta.12+build.20260616.3** can go") == ("<b>1.9.0-beta.12+<wbr>build.20260616.3</b> can go")
    assert rich("1.4.0+7 and a + b") == "1.4.0+7 and a + b"
    assert rich("run `relman <why>` **now**") == "run <code>relman &lt;why&gt;</code> <b>now</b>"
    assert rich("**<i>**") == "<b>&lt;i&gt;</b>"


def test_an_address_as_people_say_it():
    assert bare("http://shop.live.localhost:8080/") == "shop.live.localhost:8080"
    assert bare("https://shop.example/basket/") == "shop.example/basket"
    assert bare("shop.example") == "shop.example"


def test_what_a_program_said_ends_with_a_full_stop_where_a_sentence_follows():
    said = {"Copied 3 of 40 tables": "Copied 3 of 40 tables.", "It broke. ": "It broke.", "Why?": "Why?", "": ""}
    assert {text: ended(text) for text in said} == said


def test_a_difference_in_bytes_has_its_sign():
    assert (more(3_000_000), more(-812)) == ("+3.0 MB", "−812 bytes")
