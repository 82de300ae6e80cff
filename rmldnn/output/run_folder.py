"""The folder of a run: its place, and in it how the run was made.

::

    runs/unet-2/
      config.json       the whole configuration, every default filled in; a file that rmldnn takes
      run.json          name and sessions: the run, and each time that it went on
      layers.json       the network file, if the configuration names one; `layers.generator.json` of a pair
      state/            states to go on from
      history.csv history.jsonl
      outputs/          what `rmldnn rerun` makes of the places of outputs
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from rmldnn.disk import lockable, replacing, sha256
from rmldnn.errors import COMMAND_LINE, ConfigError, Problem, RmldnnError
from rmldnn.output import surroundings
from rmldnn.output.places import saving, writing
from rmldnn.output.placing import OUTPUTS
from rmldnn.steps import EpochEnd, Step

RUNS = Path("runs")
CONFIG, RECORD, STATES = "config.json", "run.json", "state"
HISTORY = "history.csv", "history.jsonl"
LOCK = ".lock"
_ROOT = "neural_network"
_FORMAT = "rmldnn-run-1"
_LARGEST = 64 * 2**20
"""Bytes of a network file that is copied; a larger one holds weights."""


def run_name(file: str | Path) -> str:
    """What a run of a configuration file is called: the file's name, in a run folder that of the run."""
    if file == COMMAND_LINE:
        return "rmldnn"
    record = _read(Path(file).parent)
    return record["name"] if record and Path(file).name == CONFIG else Path(file).stem


def open_folder(path: str | None, name: str, *, resume: bool) -> Path:
    """The folder of a run, made if need be.

    Args:
        path: The folder that the user wants, which is taken as it is; `runs/<name>` if None, with a number behind it if
            that is there already: `runs/<name>-2`. Of runs that begin at once, each gets its own.
        name: What the run is called.
        resume: Whether the run goes on; then it is the newest folder of its name that has a state, if there is one.

    Raises:
        ConfigError: It cannot be made.
    """
    if path is not None:
        with writing(path, key="run_folder"):
            Path(path).mkdir(parents=True, exist_ok=True)
        return Path(path)
    if resume and (found := newest_with_state(name)) is not None:
        return found
    with writing(str(RUNS / name), key="run_folder"):
        RUNS.mkdir(exist_ok=True)
        while True:
            last = max(_numbered(name), default=0)
            folder = RUNS / (f"{name}-{last + 1}" if last else name)
            try:
                folder.mkdir()
            except FileExistsError:  # another run was quicker
                continue
            return folder


def newest_with_state(name: str) -> Path | None:
    """The newest folder of the runs of a name that has a state to go on from; None if there is none."""
    for _, folder in sorted(_numbered(name).items(), reverse=True):
        record = _read(folder)
        ours = record is None or record["name"] == name  # `unet-2` may be the first run of unet-2.json
        if ours and any(path.suffix != ".part" for path in (folder / STATES).glob("*")):
            return folder
    return None


def _numbered(name: str) -> dict[int, Path]:
    """What there is by the name of a run or its numbered forms."""
    form = re.compile(rf"{re.escape(name)}(?:-(\d+))?")
    paths = RUNS.iterdir() if RUNS.is_dir() else ()
    return {int(match[1] or 1): path for path in paths if (match := form.fullmatch(path.name))}


@dataclass
class Record:
    """What is told of a run in its folder.

    Args:
        folder: The run folder.
        name: What the run is called.
        config: Its configuration.
        sessions: The run, and each time that it went on, the last one last.
    """

    folder: Path
    name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    sessions: list[dict[str, Any]] = field(default_factory=list)
    unlock: Callable[[], object] = lambda: None
    """Lets another run write to the folder; the system does so however the run ends."""
    fresh: bool = False
    """Whether nothing was in the folder before."""
    begun: bool = False
    """Whether anything is told of the last session yet."""
    ending: str = "complete"
    """How a session ends in which nothing goes wrong."""

    def begin(self, config: Mapping[str, Any]) -> None:
        """Notes that the session begins, and keeps the network files.

        Args:
            config: The composed configuration.

        Raises:
            ConfigError: The folder cannot be written.
        """
        self.config = config
        with writing(str(self.folder), key="run_folder"):
            self.sessions[-1]["networks"] = [_keep(key, file, self.folder) for key, file in _networks(config)]
            _write(self.folder / CONFIG, {_ROOT: config})
            self.write()
        self.begun = True

    def consume(self, step: Step) -> None:
        """Takes note of an end before the last epoch."""
        if isinstance(step, EpochEnd) and step.last and step.epoch < step.num_epochs:
            self.ending = f"stopped early after epoch {step.epoch}"

    def close(self) -> None:
        """Has nothing to complete before the run is over."""

    def finish(self, outcome: str) -> None:
        """Notes when and how the session ended.

        Args:
            outcome: `complete`, `stopped early after epoch 7`, or what went wrong, in a few words.

        Raises:
            RmldnnError: The folder cannot be written any more.
        """
        self.unlock()
        self.sessions[-1] |= {"ended": _now(), "outcome": outcome}
        with saving(str(self.folder / RECORD)):
            self.write()

    def __enter__(self) -> Record:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Notes how the run ended; what went wrong before is what matters. Nothing stays of a run without any step."""
        if self.begun:
            with suppress(RmldnnError):
                self.finish(self.ending if kind is None else (str(error).splitlines() or [kind.__name__])[0])
        self.unlock()
        if kind is None or (self.begun and self._has_steps()):
            return
        if self.fresh and not self.begun:
            shutil.rmtree(self.folder, ignore_errors=True)
        copies = [kept["copy"] for kept in self.sessions[-1]["networks"] if kept["copy"]]
        told = [self.folder / name for name in (CONFIG, RECORD, *copies)] if self.begun else []
        for path in told:
            path.unlink(missing_ok=True)
        own = () if self._has_steps() else (*HISTORY, LOCK)
        _prune(*(self.folder / name for name in (STATES, OUTPUTS, "tensorboard", *own)))
        with suppress(OSError):  # what is not of this run stays
            self.folder.rmdir()
        with suppress(OSError):
            RUNS.rmdir()

    def _has_steps(self) -> bool:
        history = self.folder / HISTORY[1]
        return (
            len(self.sessions) > 1
            or any((self.folder / STATES).glob("*"))
            or (history.exists() and history.stat().st_size > 0)
        )

    def write(self) -> None:
        """Writes `run.json`."""
        _write(self.folder / RECORD, {"format": _FORMAT, "name": self.name, "sessions": self.sessions})


def record(
    folder: Path,
    *,
    name: str,
    command: Sequence[str],
    file: str,
    seed: int,
    processes: int = 1,
    devices: Sequence[str] = (),
    lenient: bool = False,
    resumed: bool = False,
) -> Record:
    """How a run is made, to be noted in its folder, which no other run may write to from now on.

    Args:
        folder: The run folder.
        name: What the run is called.
        command: The command line.
        file: The configuration file.
        seed: Seed of the run.
        processes: How many compute.
        devices: What they compute on, as the log calls it.
        lenient: Whether unknown keys of layers are warnings.
        resumed: Whether the run goes on, and earlier sessions are kept.

    Raises:
        ConfigError: The folder cannot be written, or another run writes to it.
    """
    here = Path.cwd()
    fresh = not folder.is_dir() or not any(folder.iterdir())
    lock = _locked(folder)
    session = {
        "began": _now(),
        "ended": None,
        "outcome": None,
        "command": list(command),
        "directory": str(here),
        "file": file,
        "seed": seed,
        "lenient": lenient,
        "processes": processes,
        "devices": list(devices),
        "networks": [],
        "git": surroundings.git(here),
        "hardware": surroundings.hardware(),
        "software": surroundings.software(),
    }
    earlier = _read(folder) if resumed else None
    made = Record(folder, name, sessions=[*(earlier["sessions"] if earlier else ()), session], fresh=fresh)
    made.unlock = weakref.finalize(made, os.close, lock)
    return made


def _prune(*folders: Path) -> None:
    """Removes empty files and folders in some folders, and those themselves if nothing is left."""
    for folder in folders:
        for path in sorted((folder, *folder.rglob("*")), reverse=True):
            with suppress(OSError):
                if path.is_dir():
                    path.rmdir()
                elif path.stat().st_size == 0:
                    path.unlink()


def _locked(folder: Path) -> int:
    """The lock of a run folder, an open file."""
    with writing(str(folder), key="run_folder"):
        folder.mkdir(parents=True, exist_ok=True)
        lock = lockable(folder / LOCK)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            message = f"another run writes to `{folder}`; wait for its end, or name another folder"
            raise ConfigError(Problem("run_folder", message)) from None
    return lock


def recorded(folder: Path) -> Record:
    """What is told of a run in its folder.

    Raises:
        ConfigError: It is no run folder, or what it tells cannot be understood.
    """
    record = _read(folder)
    if record is None:
        raise ConfigError(f"`{folder}` is no run folder: it has no {RECORD} that can be read; `runs/` may have some")
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))[_ROOT]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"`{folder / CONFIG}` cannot be read: {error}") from error
    return Record(folder, record["name"], config, record["sessions"])


def _networks(config: Mapping[str, Any]) -> Iterator[tuple[Sequence[str | int], Path]]:
    """The network files that a configuration names, and where in it."""
    layers = config.get("layers")
    parts = layers if isinstance(layers, Mapping) and "class_name" not in layers else {}
    coarser = (config.get("multigrid") or {}).get("networks") or ()
    named = [(("layers",), layers), *((("layers", part), own) for part, own in parts.items())]
    named += [(("multigrid", "networks", level), own) for level, own in enumerate(coarser)]
    for key, file in named:
        if isinstance(file, str) and Path(file).is_file():
            yield key, Path(file)


def _keep(key: Sequence[str | int], file: Path, folder: Path) -> dict[str, Any]:
    """Copies a network file unless it is large; says what it is."""
    copy = folder / f"{'.'.join(map(str, key))}{file.suffix}"
    kept = file.stat().st_size <= _LARGEST
    if kept:
        with replacing(copy) as partial:
            shutil.copyfile(file, partial)
    digest = sha256(copy if kept else file)
    return {"key": list(key), "file": str(file), "copy": copy.name if kept else None, "sha256": digest}


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return record if record["format"] == _FORMAT and record["sessions"] and record["name"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(file: Path, content: Any) -> None:
    with replacing(file) as partial:
        partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
