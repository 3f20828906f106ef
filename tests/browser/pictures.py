"""`make pictures`: every page from the demo's data, in both themes and on a phone, and a sheet to leaf through them.

`python -m tests.browser.pictures [folder] [name …]`: only these pages, by their names in the book.
"""

from __future__ import annotations

import base64
import html
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.book import BOOK, Leaf
from tests.browser.chromium import DESKTOP, PHONE, People, accessible, executable, launch, sideways
from tests.browser.later import CHAPTERS, LATER
from tests.browser.populate import numbers, populate
from tests.browser.running import running_site
from tests.installation import ROOT

KINDS = {"light": ("light", DESKTOP), "dark": ("dark", DESKTOP), "phone": ("light", PHONE)}
HIGHEST = {"light": 1400, "dark": 1400, "phone": 2200}
"""Pixels: a long list looks the same further down."""
AS_PNG = {"board-light"}
"""Pictures that are kept as PNG too, for places which show no WebP."""
SHRINK = """async data => {
    const picture = await createImageBitmap(await (await fetch("data:image/png;base64," + data)).blob());
    const canvas = new OffscreenCanvas(picture.width, picture.height);
    canvas.getContext("2d").drawImage(picture, 0, 0);
    const bytes = new Uint8Array(await (await canvas.convertToBlob({type: "image/webp", quality: 0.5})).arrayBuffer());
    let text = "";
    for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return btoa(text);
}"""


def take(people: People, leaf: Leaf, known: dict[str, int], folder: Path, shrink: Page) -> None:
    """One page, three pictures."""
    for kind, (theme, size) in KINDS.items():
        with people.page(leaf.who, size=size, color_scheme=theme, reduced_motion="reduce") as page:
            if leaf.before:
                leaf.before(page)
            else:
                page.goto(leaf.path.format(**known))
            page.evaluate("() => document.fonts.ready")
            page.wait_for_timeout(150)
            said = [*accessible(page), *(["It scrolls sideways."] if sideways(page) else [])] if leaf in LATER else []
            for line in said:
                print(f"  {leaf.name}, {kind}: {line}", flush=True)
            # As high as its content: a sidebar that fills the window looks whole, too.
            height = page.evaluate("() => document.documentElement.scrollHeight")
            page.set_viewport_size({"width": size[0], "height": min(max(size[1], height), HIGHEST[kind])})
            picture = page.screenshot()
        name = f"{leaf.name}-{kind}"
        small = shrink.evaluate(SHRINK, base64.b64encode(picture).decode())
        (folder / f"{name}.webp").write_bytes(base64.b64decode(small))
        if name in AS_PNG:
            (folder / f"{name}.png").write_bytes(picture)


def sheet(folder: Path) -> str:
    """The pictures in the folder beside the names of the states that they show."""
    drawn = [leaf for leaf in [*BOOK, *LATER] if any(folder.glob(f"{leaf.name}-*.webp"))]
    rows = "\n".join(
        f'<section id="{leaf.name}"><h2>{html.escape(leaf.state)}</h2><p><code>{html.escape(leaf.path)}</code>'
        f"{' as ' + leaf.who if leaf.who else ''}</p><div>"
        + "".join(
            f'<a href="{leaf.name}-{kind}.webp"><img class="{kind}" loading="lazy" src="{leaf.name}-{kind}.webp"'
            f' alt="{html.escape(leaf.state)}, {kind}"></a>'
            for kind in KINDS
            if (folder / f"{leaf.name}-{kind}.webp").exists()
        )
        + "</div></section>"
        for leaf in drawn
    )
    links = " ".join(f'<a href="#{leaf.name}">{html.escape(leaf.state)}</a>' for leaf in drawn)
    return SHEET.format(links=links, rows=rows)


SHEET = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>RelMan in pictures</title>
<style>
body{{font:14px/1.5 system-ui,sans-serif;margin:24px;background:#eef0f3;color:#12161d}}
nav a{{display:inline-block;margin:0 12px 4px 0;color:#1f4cc0}}
section{{margin-top:32px}} h2{{font-size:18px;margin:0}} p{{margin:0 0 8px;color:#454e5c}}
div{{display:flex;gap:16px;align-items:flex-start;overflow-x:auto}}
img{{border:1px solid #c5cbd5;border-radius:6px;display:block}} .light,.dark{{width:720px}} .phone{{width:240px}}
</style>
<h1>RelMan in pictures</h1>
<p>Every page from the demo's data: light, dark, and 390 pixels wide. Made by <code>make pictures</code>.</p>
<nav>{links}</nav>
{rows}
</html>
"""


def main(folder: Path, names: list[str]) -> None:
    """Take the pictures of these pages, or of all."""
    if not executable():
        raise SystemExit("There is no Chromium here. Install the package chromium, or name it in RELMAN_CHROMIUM.")
    folder.mkdir(parents=True, exist_ok=True)
    with running_site() as site, sync_playwright() as playwright, tempfile.TemporaryDirectory() as archives:
        populate(site, Path(archives))
        browser = launch(playwright)
        people, shrink, known = People(browser, site), browser.new_page(), numbers(site)
        for leaf in BOOK:
            if not names or leaf.name in names:
                take(people, leaf, known, folder, shrink)
                print(leaf.state, flush=True)
        for chapter in CHAPTERS:
            wanted = [leaf for leaf in chapter.leaves if not names or leaf.name in names]
            if wanted:
                known |= chapter.prepare(site, Path(archives))
            for leaf in wanted:
                take(people, leaf, known, folder, shrink)
                print(leaf.state, flush=True)
        browser.close()
    (folder / "index.html").write_text(sheet(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures", sys.argv[2:])
