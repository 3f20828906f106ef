"""Every page in both themes and sizes: axe-core finds nothing, nothing scrolls sideways, the console is silent."""

import pytest

from tests.browser.book import BOOK, REFUSED
from tests.browser.chromium import DESKTOP, PHONE, accessible, sideways

WIDTHS = (320, 390, 768, 1024, 1440, 1920)


@pytest.mark.parametrize("leaf", BOOK, ids=lambda leaf: leaf.name)
def test_page(leaf, people, known, quiet):
    # Colours are measured at rest: a change of theme would still be on its way otherwise.
    with people.page(leaf.who, reduced_motion="reduce") as page:
        answer = page.goto(leaf.path.format(**known))
        assert answer.status == REFUSED.get(leaf.name, 200)
        found = []
        for theme, rules in (("light", ()), ("dark", ("color-contrast",))):  # the theme changes nothing but colours
            page.emulate_media(color_scheme=theme)
            for size in (DESKTOP, PHONE):
                page.set_viewport_size({"width": size[0], "height": size[1]})
                found += [f"{theme} {size[0]}: {one}" for one in accessible(page, *rules)]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            if by := sideways(page):
                found.append(f"{width}: scrolls sideways by {by} px")
        assert page.title().endswith(("RelMan", "RelMan administration"))
        assert not found, "\n".join(found)
