"""Errors a user can meet, and the exit code each of them ends the command with.

::

    RmldnnError             1   anything else that went wrong in a known way
    ├── ConfigError         2   the configuration (or a file that it names as its network) is wrong
    │   ├── NetworkError    2   the network described by `layers` cannot be built
    │   └── CheckpointError 2   a checkpoint cannot be read, or belongs to another network
    ├── DataError           3   the data is missing, unreadable or inconsistent
    ├── LaunchError         1   the processes of a parallel run cannot find each other
    ├── TrainingError       1   the training cannot go on: its loss is no number, or grows without bound
    └── StoppedError     128+n   the run was told to leave by signal n; its state is saved

A message names the place, the fault, the value and the remedy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

COMMAND_LINE = "command line"
"""The place of what stands in no file."""


@dataclass(frozen=True)
class Remedy:
    """A change of the line that a problem is about, which mends it.

    Args:
        kind: What is changed: a `key`, a `value`, or the whole `line`, which goes.
        old: The key or the value that stands there.
        new: What is to stand there.
        safe: Whether hardly anybody can have meant anything else.
    """

    kind: Literal["key", "value", "line"]
    old: Any
    new: Any = None
    safe: bool = True


@dataclass(frozen=True)
class Problem:
    """One fault of a configuration.

    Args:
        path: Where in the configuration, in its own words: `optimizer.learning_rate`.
        message: What is wrong, with the value, and what to do about it.
        place: File and line (`config.json:14`), or `command line`; empty if unknown.
        mild: True for faults that `--lenient` turns into warnings.
        key: The very key that is unknown, whatever characters it has; empty for other faults.
        absent: True where something is not there, which a command line may still bring.
        remedy: A change of the line that mends it, where there is one.
    """

    path: str
    message: str
    place: str = ""
    mild: bool = False
    key: str = ""
    absent: bool = False
    remedy: Remedy | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, self.path, self.message) if part)


class RmldnnError(Exception):
    """Root of all errors that reach a user without a traceback."""

    exit_code = 1


class ConfigError(RmldnnError):
    """The configuration is wrong; carries every problem found, not just the first."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem] | Problem | str) -> None:
        if isinstance(problems, str):
            problems = Problem("", problems)
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__("\n".join(map(str, self.problems)))


class NetworkError(ConfigError):
    """The network cannot be built: unknown layer, shapes that do not fit, a cycle."""


class CheckpointError(ConfigError):
    """A checkpoint file is missing, damaged, or belongs to another network."""


class DataError(RmldnnError):
    """Input data is missing, unreadable or inconsistent."""

    exit_code = 3


class LaunchError(RmldnnError):
    """Processes of a parallel run cannot be joined."""


class TrainingError(RmldnnError):
    """A training that cannot go on."""


class StoppedError(RmldnnError):
    """A run that was told to leave, and has left.

    Args:
        signal: The number of the signal that said so.
        message: What was saved, and how to go on.
    """

    def __init__(self, signal: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal
