"""Where the local driver keeps what, and as whom a deployed application runs.

    <home>/targets/control/           RelMan's own (0700): supervisor, programs/, and for each environment a
                                      folder with lock, fence, ledger, instance records, logs, trees
    <targets>/e<environment>/         root and the environment's group (0750): releases/p<promotion>/, data/

<targets> is RELMAN_TARGETS/<hash of home> or <home>/targets. As root it must be reachable by other
users: when a folder above it is closed, /var/lib/relman/<hash of home> is taken.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from phases.drivers.base import Terminal
from phases.drivers.ledger import file_lock, write_synced

SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
ELSEWHERE = Path("/var/lib/relman")
LONGEST_SOCKET = 100
FIRST_USER, LAST_USER = 1_900_000_000, 2_100_000_000
"""Beyond what distributions, containers and directory services give out."""
FIRST_SMALL_USER, LAST_SMALL_USER = 30_000, 60_000
"""Inside a user namespace that maps only 65,536 users."""


@dataclass(frozen=True)
class Place:
    """The folders of one environment."""

    control: Path
    public: Path

    @property
    def instances(self) -> Path:
        """What the launcher of each instance wrote down."""
        return self.control / "instances"

    @property
    def logs(self) -> Path:
        """What the instances say."""
        return self.control / "log"

    @property
    def trees(self) -> Path:
        """What the files of each release folder should be."""
        return self.control / "trees"

    @property
    def releases(self) -> Path:
        """Each release, unpacked."""
        return self.public / "releases"

    @property
    def data(self) -> Path:
        """What the application may write to; its HOME."""
        return self.public / "data"

    def release(self, promotion: int) -> Path:
        """Where the artifact of one promotion is unpacked."""
        return self.releases / f"p{promotion}"


class Layout:
    """All paths of one installation."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.control = home / "targets" / "control"

    @property
    def programs(self) -> Path:
        """One supervisor program a file: the record of what shall run."""
        return self.control / "programs"

    @property
    def socket(self) -> Path:
        """Where the supervisor listens; a short path elsewhere when the home's is too long for a socket."""
        path = self.control / "supervisor.sock"
        if len(os.fsencode(path)) <= LONGEST_SOCKET:
            return path
        short = Path(tempfile.gettempdir()) / f"relman-local-{os.geteuid()}-{digest(self.home)}"
        short.mkdir(mode=0o700, exist_ok=True)
        about = short.lstat()
        if about.st_uid != os.geteuid() or about.st_mode & 0o077 or short.is_symlink():
            raise Terminal(f"{short} belongs to somebody else: remove it, or choose a shorter RELMAN_HOME.")
        return short / "supervisor.sock"

    def prepare(self) -> None:
        """Create what is missing."""
        (self.home / "targets").mkdir(parents=True, exist_ok=True)
        if is_root():
            (self.home / "targets").chmod(0o711)
        for folder in (self.control, self.programs):
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)

    def targets(self) -> Path:
        """Where releases go; decided once, then kept."""
        given = os.environ.get("RELMAN_TARGETS")
        if given:
            return Path(given).resolve() / digest(self.home)
        inside = self.home / "targets"
        elsewhere = ELSEWHERE / digest(self.home)
        reachable = not is_root() or others_may_enter(inside)
        return self.home / self._decided("place", "targets" if reachable else str(elsewhere))

    def place(self, environment: int) -> Place:
        """The folders of one environment, whether they exist or not."""
        return Place(self.control / str(environment), self.targets() / f"e{environment}")

    def make_place(self, environment: int) -> Place:
        """The folders of one environment, made, with the right owner and mode."""
        place = self.place(environment)
        self.prepare()
        if not place.control.exists():
            self._first_time(place)
        for folder in (place.instances, place.logs):
            folder.mkdir(mode=0o700, exist_ok=True)
        make_reachable(place.public.parent)
        user = self.user(environment)
        for folder, mode in ((place.public, 0o750), (place.releases, 0o755), (place.data, 0o700)):
            folder.mkdir(mode=mode, exist_ok=True)
            folder.chmod(mode)
        if user is not None:
            os.chown(place.public, 0, user)
            os.chown(place.data, user, user)
        return place

    def user(self, environment: int) -> int | None:
        """The numeric user of one environment; None when RelMan is not root and everything runs as itself."""
        if not is_root():
            return None
        if _mapped_users() > LAST_USER:
            block = self._decided("users", str(FIRST_USER + int(digest(self.home), 16) % 20_000 * 10_000))
            return int(block) + environment % 10_000
        return FIRST_SMALL_USER + environment % (LAST_SMALL_USER - FIRST_SMALL_USER)

    def _first_time(self, place: Place) -> None:
        """What lies there was left by an installation that was forgotten, and must not be taken for ours."""
        with file_lock(self.control / "places.lock"):
            if not place.control.exists():
                shutil.rmtree(place.public, ignore_errors=True)
                place.control.mkdir(mode=0o700)

    def _decided(self, name: str, value: str) -> str:
        """What was decided when it was asked for the first time, so that a moved home finds its releases again."""
        note = self.control / name
        if not note.exists():
            self.prepare()
            with file_lock(self.control / "decided.lock"):
                if not note.exists():
                    write_synced(note, value)
        return note.read_text()


def make_reachable(folder: Path) -> None:
    """Create the folder of all releases; as root others may walk through it but not list it."""
    folder.mkdir(parents=True, exist_ok=True)
    if is_root():
        folder.chmod(0o711)
        if not others_may_enter(folder):
            raise Terminal(
                f"Applications would run as users of their own, but cannot reach {folder}: a folder above it is "
                "closed. Set RELMAN_TARGETS to a folder that others may enter."
            )


def application_path() -> str:
    """PATH of a deployed process: RELMAN_APP_PATH if set, the system's folders, and if those hold no python3, the
    folder of the Python that RelMan's environment was made from, where others may run it."""
    folders = [*filter(None, os.environ.get("RELMAN_APP_PATH", "").split(":")), *SYSTEM_PATH]
    if not any(os.access(Path(folder) / "python3", os.X_OK) for folder in folders):
        base = Path(sys.base_prefix) / "bin"
        if (base / "python3").exists() and (not is_root() or others_may_enter(base)):
            folders.append(str(base))
    return ":".join(folders)


def is_root() -> bool:
    """Whether each environment can have a user of its own."""
    return os.geteuid() == 0


def others_may_enter(folder: Path) -> bool:
    """Whether any user may walk down to this folder."""
    return all(each.stat().st_mode & 0o001 for each in (folder, *folder.parents) if each.exists())


def digest(home: Path) -> str:
    """A short name for an installation."""
    return hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:12]


def _mapped_users() -> int:
    """The highest user number that this user namespace knows."""
    try:
        rows = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
        return max(int(row[0]) + int(row[2]) for row in rows)
    except (OSError, ValueError):
        return 65_536
