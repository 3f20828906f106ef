"""What the documents lead to, name and tell to type is there, and no setting is left out."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "samples" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file(document):
    links = LINK.findall(document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_is_named_by_its_path_is_there(document):
    named = re.findall(r"`((?:relman|phases|releases|templates|tests|docs|samples)/[\w./-]*)`", document.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_to_type_is_there(document):
    typed = document.read_text()
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    own = {path.stem for path in ROOT.glob("relman/**/management/commands/*.py")}
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", typed, re.MULTILINE)) <= {*targets}
    assert set(re.findall(r"manage\.py ([a-z_]+)", typed)) <= own | {"check", "migrate"}


def test_every_setting_is_explained():
    """But two: DEBUG is for who develops RelMan, and `make demo` says by itself that it is one."""
    read = re.findall(r"\b(?:value|whole)\(\"([A-Z_]+)\"", (ROOT / "relman" / "settings.py").read_text())
    told = "".join(document.read_text() for document in DOCUMENTS)
    assert len(read) > 20 and [name for name in read if f"`{name}`" not in told] == ["RELMAN_DEMO", "DEBUG"]
