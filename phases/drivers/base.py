"""What the engine and a driver say to each other: plain Python, no Django.

A driver knows how to speak to one kind of target. It is given dataclasses and
answers with a result; it may be called twice with the same effect key, and it
sees only the configuration of the environment it works on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

Resume = Literal["idempotent", "probe", "never"]
"""What a step allows after a crash: run again, ask the target first, or ask a person."""


class DriverError(Exception):
    """A sentence about what went wrong at the target."""


class Transient(DriverError):
    """Worth another try after a while: the network, a busy target."""


class Terminal(DriverError):
    """Trying again changes nothing: the promotion fails with this sentence."""


class Unknown(DriverError):
    """The driver could not find out what is true: a person decides."""


class Fenced(DriverError):
    """The target has seen a higher epoch (`seen`; 0: unknown): whoever asks was replaced."""

    def __init__(self, sentence: str = "", seen: int = 0) -> None:
        super().__init__(sentence)
        self.seen = seen


@dataclass(frozen=True)
class Target:
    """One environment as a driver sees it."""

    environment: int
    application: str
    phase: str
    instances: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Package:
    """The artifact to bring: a file on this machine, its digest (hex), size in bytes and manifest."""

    version: str
    path: Path
    digest: str
    size: int
    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class StepSpec:
    """One line of a plan, as it is frozen into a promotion."""

    kind: str
    name: str
    resume: Resume = "idempotent"
    timeout: float = 300.0
    """Seconds that one attempt may take."""
    attempts: int = 3
    """How often a transient error may be tried."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    when: Literal["run", "verify", "after", "undo"] = "run"
    """run: before verification; verify: while verifying; after: clean-up once it
    succeeded; undo: clean-up when it did not."""
    lasting: bool = False
    """What it changes stays when the promotion fails: no clean-up takes it back, such as a migration."""


LEASE_LOST = "lost"
"""What `Context.stop` says when somebody else may already hold the promotion: nothing may be ended for it."""


@dataclass(frozen=True)
class Context:
    """All that one call of a driver may know."""

    target: Target
    promotion: int
    epoch: int
    step: int
    package: Package | None = None
    configuration: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Values in the clear, for the process that is deployed and for nothing else."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    left: Mapping[str, Any] = field(default_factory=dict)
    """What earlier steps and earlier attempts left: one mapping for each promotion."""
    log: Callable[[str], None] = lambda line: None
    stop: Callable[[], str | None] = lambda: None
    """Asked often inside long work: the reason to stop now (aborted, lease lost,
    worker stops, time is over), or None."""

    @property
    def artifact(self) -> Package:
        """The package, for steps that cannot do without. Raises Terminal."""
        if self.package is None:
            raise Terminal("This step needs an artifact, and the promotion has none.")
        return self.package

    @property
    def effect_key(self) -> str:
        """The same for each attempt of the same step of the same promotion."""
        return f"{self.promotion}:{self.step}"


@dataclass(frozen=True)
class Succeeded:
    """The step is done. `left`: what later steps and attempts are told of it."""

    detail: str = ""
    left: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """The target said no."""

    reason: str
    left: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Errored:
    """Nobody knows what is true now."""

    reason: str
    left: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Skipped:
    """There was nothing to do."""

    detail: str = ""


@dataclass(frozen=True)
class Again:
    """Running; come back in so many seconds. Holds no worker meanwhile."""

    seconds: float
    detail: str = ""
    left: Mapping[str, Any] = field(default_factory=dict)


Result = Succeeded | Failed | Errored | Skipped | Again


@dataclass(frozen=True)
class Finding:
    """One check of a target: what was looked at, whether it holds, what to do if not."""

    name: str
    ok: bool
    sentence: str


@dataclass(frozen=True)
class Instance:
    """One running copy of a deployed application."""

    name: str
    promotion: int
    version: str
    port: int
    pid: int | None
    state: str
    """starting, running, stopped, broken"""
    since: float | None = None
    """Seconds since the epoch (1970)."""
    restarts: int = 0


@dataclass(frozen=True)
class Probe:
    """One look at a running instance: its health and the version that it reports."""

    healthy: bool
    sentence: str
    version: str | None = None
    exited: bool = False
    """The process ended by itself: waiting longer changes nothing."""


@dataclass(frozen=True)
class Expected:
    """What the record says should run: the live promotion, as a driver needs it to look."""

    promotion: int
    version: str
    digest: str
    """Of the artifact, hex."""
    instances: int
    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class Observation:
    """What really runs in an environment, whoever started it."""

    running: int = 0
    """Instances that run as themselves, on their own port."""
    healthy: bool = False
    sentence: str = ""
    """About the health of what runs."""
    version: str | None = None
    """What answers there reports this version; of several the one that is not expected. None: it does not say."""
    digest: str | None = None
    """The artifact (hex) whose files are there; empty: files of no known artifact. None: they were not compared."""
    changed: Sequence[str] = ()
    """Files that are not those of the expected artifact, a few of them."""
    unread: int = 0
    """Files that this look had no time to compare: what it does not say of files is no word that they are unchanged."""
    stranger: str = ""
    """A sentence about a process that RelMan did not start and that stands in for the application."""
    restarts: int = 0
    """How often instances ended by themselves and were started again, since this supervisor started them."""
    lost: bool = False
    """The target has forgotten what should run, or lost its port to a passer-by: `restore` may help."""


class Driver(Protocol):
    """A kind of target. Register it in `registry.py`; `local.py` is the example to read."""

    kind: str

    def check_settings(self, settings: Mapping[str, Any]) -> Mapping[str, str]:
        """What is wrong with an environment's settings: setting -> a sentence that names it; empty: nothing.

        Pure, and asked before they are saved; `settings.py` has what most drivers need. Whatever makes RelMan wait
        has a longest value. The setting `verify` is the engine's and is not among them."""
        ...

    def plan(self, manifest: Mapping[str, Any], target: Target) -> Sequence[StepSpec]:
        """The driver's own steps; `verify` and `switch` are added by the engine's plan."""
        ...

    def fence(self, context: Context) -> None:
        """Tell the target the epoch. Raises Fenced when it has seen a higher one."""
        ...

    def seen(self, target: Target) -> int:
        """The highest epoch that the target has seen, as it remembers it itself; 0 when none. Changes nothing."""
        ...

    def run(self, kind: str, context: Context) -> Result:
        """Do one step. May be called again with the same effect key."""
        ...

    def probe(self, kind: str, context: Context) -> Result | None:
        """What is true at the target after a crash inside this step; None: run it again."""
        ...

    def check(self, target: Target) -> Sequence[Finding]:
        """Whether this environment could be deployed to now."""
        ...

    def instances(self, target: Target) -> Sequence[Instance]:
        """What really runs there."""
        ...

    def inspect(self, target: Target, instance: Instance, manifest: Mapping[str, Any], timeout: float) -> Probe:
        """Health and version of one instance, asked directly (not through the gateway)."""
        ...

    def observe(self, target: Target, expected: Expected, timeout: float) -> Observation:
        """What really runs there now, compared with nothing: version, files, instances, health.

        Ends within about `timeout` seconds; raises DriverError when the target cannot be asked."""
        ...

    def adoption(self, target: Target) -> Sequence[StepSpec]:
        """The steps after which what runs belongs to another promotion, without touching a process.

        Those with `when="undo"` give it back."""
        ...

    def log(self, target: Target, lines: int, promotion: int | None = None) -> Sequence[str]:
        """The last lines that the deployed application wrote; with `promotion`, only what it brought wrote them."""
        ...

    def restore(self, target: Target, wanted: Sequence[int], epoch: int) -> Mapping[int, list[str]]:
        """Bring up what the record says, after a reboot or when something is missing.

        Fenced like a step: with an `epoch` lower than the target has seen, nothing is touched and Fenced is raised.

        `wanted` are the promotions whose instances should run: the live one, and one under way.
        Others are stopped. Gives the addresses for the gateway of each promotion that runs."""
        ...

    def remove(self, target: Target) -> None:
        """Stop and forget everything of this environment."""
        ...
