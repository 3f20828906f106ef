"""Characters that turn text are shown on a page, and kept in its fields."""

from __future__ import annotations

from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from relman.templatetags.relman_tags import seen
from relman.turned import TurnedMiddleware

OVER, POP, FIRST = "\u202e", "\u202c", "\u2068"
NAME = f"Shop{OVER}exe.gpj{POP}"
MARK = '<span class="ctl" title="right-to-left override">U+202E</span>'


def through(response):
    return TurnedMiddleware(lambda request: response)(RequestFactory().get("/"))


def page(html):
    return through(HttpResponse(html)).content.decode()


def test_text_of_a_page_shows_what_would_turn_it():
    shown = page(f"<h1>{NAME} 4.18.0</h1>")
    assert MARK in shown and "U+202C" in shown and OVER not in shown and POP not in shown
    assert "U+2068" in page(f"<p>{FIRST}</p>")


def test_fields_and_attributes_keep_what_was_typed():
    for html in (
        f'<input value="{NAME}">',
        f"<textarea>{NAME}</textarea>",
        f"<option selected>{NAME}</option>",
        f"<title>{NAME}</title>",
        f'<script>"{NAME}"</script>',
    ):
        assert page(html) == html
    assert page(f'<input value="{OVER}">{OVER}') == f'<input value="{OVER}">{MARK}'


def test_other_answers_and_other_letters_are_left_alone():
    assert page("<p>متجر „Größe“ – …</p>") == "<p>متجر „Größe“ – …</p>"
    assert OVER in through(HttpResponse(f'"{NAME}"', content_type="application/json")).content.decode()
    assert through(StreamingHttpResponse([NAME])).streaming


def test_a_comparison_shows_all_that_nobody_sees():
    assert seen(f"a{OVER}<b>") == f"a{MARK}&lt;b&gt;"
    assert seen("on\u200b") == 'on<span class="ctl" title="zero width space">U+200B</span>'
    assert "soft hyphen" in seen("o\u00adn") and seen("on") == "on"
