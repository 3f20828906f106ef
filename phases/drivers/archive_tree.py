"""The names and links of an archive as one tree, and everything that must not be in it.

Pure: nothing here touches a disk. A link may lead anywhere inside the archive
(node_modules needs that) but never outside, not even by way of other links, and
nothing is ever stored below a link.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from phases.drivers.archive_errors import Findings
from phases.drivers.archive_formats import Entry

LONGEST_NAME = 255
LONGEST_PATH = 2048
MOST_LINK_STEPS = 40
_FORBIDDEN = {"Cc", "Cs", "Zl", "Zp"}
_DIRECTION = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_DRIVE = re.compile(r"^[A-Za-z]:")
_LINK_CURE = "Make it a relative link to something inside the archive, or store the file itself."
_NAME_CURE = "Rename it, then pack again."


class Tree:
    """Collects entries; `add` says where to put each, `finish` judges what needs the whole."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._kinds: dict[str, str] = {}
        self._folded: dict[str, str] = {}
        self.symlinks: dict[str, str] = {}
        self.hardlinks: dict[str, str] = {}

    def add(self, entry: Entry) -> str | None:
        """The clean path of an entry below the root, or None when it is refused or the root itself."""
        if entry.complaint:
            self._findings.add(entry.name, entry.complaint, "Pack it again without that option, or as .tar.gz.")
            return None
        path = self._clean(entry.name)
        if not path:
            return None
        if entry.kind == "other":
            self._findings.add(
                path, "It is a device, a pipe or a socket.", "Leave it out: only files, folders and links are accepted."
            )
            return None
        if not self._place(path, entry):
            return None
        if entry.kind == "symlink":
            self.symlinks[path] = entry.link
        elif entry.kind == "hardlink":
            self.hardlinks[path] = entry.link
        return path

    def finish(self) -> None:
        """Judge the links, now that everything is known."""
        for path in self._kinds:
            parent = next((p for p in _parents(path) if p in self.symlinks or p in self.hardlinks), None)
            if parent:
                self._findings.add(path, f"It is stored below {parent}, which is a link.", _LINK_CURE)
        for path, target in self.symlinks.items():
            self._judge_symlink(path, target)
        for path in self.hardlinks:
            self._judge_hardlink(path)

    def hardlink_source(self, path: str) -> str:
        """The clean path of the file that a hard link shares; only after `finish` found nothing."""
        return _normal(self.hardlinks[path])

    def find(self, name: str) -> str:
        """The path of a file with this name in some folder; empty when there is none."""
        return next((path for path, kind in self._kinds.items() if kind == "file" and path.endswith(f"/{name}")), "")

    def _clean(self, name: str) -> str:
        """The path without ./ and trailing slashes; empty when refused or the root itself."""
        complaint = _complaint(name)
        if complaint:
            self._findings.add(name or "(no name)", complaint, _NAME_CURE)
            return ""
        return _normal(name)

    def _place(self, path: str, entry: Entry) -> bool:
        """Whether the path is still free, also on a disk that knows no upper and lower case."""
        for parent in _parents(path):
            known = self._kinds.get(parent)
            if known == "file":
                self._findings.add(path, f"It is stored below {parent}, which is a file.", _NAME_CURE)
                return False
            if known is None:
                self._kinds[parent] = "directory"
                self._fold(parent)
        known = self._kinds.get(path)
        if known and not (known == entry.kind == "directory"):
            self._findings.add(path, "It is in the archive more than once.", "Pack each file once.")
            return False
        self._kinds[path] = entry.kind
        return self._fold(path)

    def _fold(self, path: str) -> bool:
        other = self._folded.setdefault(unicodedata.normalize("NFC", path).casefold(), path)
        if other != path:
            self._findings.add(path, f"Only upper and lower case, or its accents, tell it from {other}.", _NAME_CURE)
        return other == path

    def _judge_symlink(self, path: str, target: str) -> None:
        complaint = _link_complaint(target)
        if not complaint and not self._stays_inside(path, target):
            complaint = "leads out of the archive, or in a circle"
        if complaint:
            self._findings.add(path, f"It is a link that {complaint}.", _LINK_CURE)

    def _stays_inside(self, path: str, target: str) -> bool:
        """Walk the link as a kernel would, through other links, and see whether it ever goes above the root."""
        here = path.split("/")[:-1]
        todo = target.split("/")[::-1]
        steps = 0
        while todo:
            part = todo.pop()
            if part == "..":
                if not here:
                    return False
                here.pop()
            elif part not in ("", "."):
                here.append(part)
                onward = self.symlinks.get("/".join(here))
                if onward is not None:
                    steps += 1
                    if steps > MOST_LINK_STEPS or onward.startswith("/"):
                        return False
                    here.pop()
                    todo.extend(onward.split("/")[::-1])
        return True

    def _judge_hardlink(self, path: str) -> None:
        target = self.hardlinks[path]
        if _complaint(target) or self._kinds.get(_normal(target)) != "file":
            self._findings.add(path, "It is a hard link to something that is not a file in the archive.", _LINK_CURE)


def _complaint(name: str) -> str:
    """Why a name is refused; empty when it is fine."""
    if not name or name.startswith("/") or _DRIVE.match(name):
        return "Its path is absolute." if name else "It has no name."
    if "\\" in name:
        return "Its name has a backslash."
    if any(unicodedata.category(c) in _FORBIDDEN for c in name) or _DIRECTION.search(name):
        return "Its name has control characters, or is not UTF-8."
    parts = name.split("/")
    if ".." in parts:
        return "Its path leads upwards (..)."
    if len(name.encode()) > LONGEST_PATH or any(len(part.encode()) > LONGEST_NAME for part in parts):
        return f"Its name is too long (at most {LONGEST_NAME} bytes, {LONGEST_PATH} with its folders)."
    return ""


def _link_complaint(target: str) -> str:
    if not target or target.startswith("/"):
        return "leads to an absolute path" if target else "leads nowhere"
    if any(unicodedata.category(c) in _FORBIDDEN for c in target):
        return "has control characters in its target"
    return "has a very long target" if len(target.encode()) > LONGEST_PATH else ""


def _normal(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _parents(path: str) -> Iterator[str]:
    at = path.find("/")
    while at > 0:
        yield path[:at]
        at = path.find("/", at + 1)
