"""States of a training on the disk: whole or absent, and known to be undamaged.

A state is a folder `epoch_3_sample_1280` with some files and `manifest.json`, which has size and SHA-256 of each. It is
made under another name, and gets its own when everything is on the disk; so a process may be killed, or a disk be full,
at any instant. All processes of a run save it together, and look together whether it is undamaged.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmldnn.disk import sha256, sync
from rmldnn.engine import shards
from rmldnn.engine.interface import Engine
from rmldnn.errors import CheckpointError, Problem, RmldnnError

log = logging.getLogger("rmldnn")

FORMAT, IN_SHARDS = "rmldnn-state-1", "rmldnn-state-2"
_MANIFEST = "manifest.json"
_NAME = re.compile(r"epoch_(\d+)_sample_(\d+)")
_FORMER = re.compile(rf"\.{_NAME.pattern}\.former")
"""A state that is about to be replaced by another one of the same place in the training."""


@dataclass(frozen=True)
class State:
    """A state that is whole.

    Args:
        folder: Where it is.
        facts: What its manifest says besides its files.
    """

    folder: Path
    facts: Mapping[str, Any]

    def load(self, part: str) -> Any:
        """What was saved as a part; tensors come to the CPU, or stay in a file's memory map. No code of it is run."""
        return shards.read(self.folder, list(self.facts["files"]), part)


def save(
    engine: Engine,
    folder: Path,
    epoch: int,
    sample: int,
    parts: Mapping[str, Any],
    facts: Mapping[str, Any],
    *,
    own: Mapping[str, Any] | None = None,
    shard_size: int = 2_000_000_000,
) -> Path:
    """Writes a state; all processes call it.

    Args:
        engine: Who this process is.
        folder: The folder of all states of a run; made if need be.
        epoch: The epoch that is running, from 1.
        sample: Training samples of it that were learned from.
        parts: What to save, by name, of the same form in all processes: tensors, numbers, texts, lists
            and dictionaries.
        facts: What is to be known without loading.
        own: More parts, of the first process alone.
        shard_size: Bytes of tensors in `parts` up to which the first process writes them all.

    Returns:
        Where it is.

    Raises:
        RmldnnError: Some process cannot write its share; nothing of it is left.
    """
    place = folder / f"epoch_{epoch}_sample_{sample}"
    partial = folder / f".{place.name}.part"
    try:
        with _together(engine, folder):
            if engine.rank == 0:
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir(parents=True)
        held, written, fault = shards.gather(engine, partial, parts, shard_size)
        with _together(engine, folder):
            if fault is not None:
                raise fault
        files = {name: said for theirs in engine.everyone(written) for name, said in theirs.items()}
        with _together(engine, folder):
            if engine.rank == 0:
                _require(partial, files)
                manifest = {"format": IN_SHARDS if files else FORMAT, "epoch": epoch, "sample": sample, **facts}
                for name, part in {**shards.without(parts, held), **(own or {})}.items():
                    files[f"{name}.pt"] = shards.write(partial / f"{name}.pt", part)
                _complete(partial, place, {**manifest, "files": files})
    except RmldnnError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return place


def newest(engine: Engine, folder: Path) -> State | None:
    """The state that is furthest; damaged ones are told and passed over. None if there is none; all processes ask."""
    for place in engine.everyone(list(reversed(_listed(folder, _NAME, _FORMER))))[0]:
        state, fault = _checked(engine, place)
        if state is not None:
            return state
        log.warning(f"the state `{place}` is damaged and is not used: {fault}")
    return None


def load(engine: Engine, folder: Path) -> State:
    """A state by its folder; all processes ask.

    Raises:
        CheckpointError: It is none, or is damaged.
    """
    state, fault = _checked(engine, folder)
    if state is None:
        raise CheckpointError(Problem("checkpoints.resume", f"`{folder}` is no state to go on from: {fault}"))
    return state


def found(folder: Path) -> list[Path]:
    """The states in a folder, the furthest last; none of them looked at."""
    return _listed(folder, _NAME)


def clear(folder: Path, epoch: int = 0, sample: int = 0) -> None:
    """Removes the states that are further than a place in the training; all of them by default."""
    for place in _listed(folder, _NAME, _FORMER):
        if _place(place) > (epoch, sample):
            shutil.rmtree(place, ignore_errors=True)


def clean(folder: Path, last: Path, keep: int) -> None:
    """Removes states that are further than the last one, of a run that this one took the place of, and all but a few.

    Args:
        folder: The folder of all states of a run.
        last: The state that was saved last.
        keep: How many stay, the last one included.
    """
    places = found(folder)
    end = places.index(last) + 1
    for place in [*places[end:], *places[: max(0, end - keep)], *folder.glob(".epoch_*")]:
        shutil.rmtree(place, ignore_errors=True)


def _listed(folder: Path, *forms: re.Pattern[str]) -> list[Path]:
    """States by the form of their names, the furthest last, and one that was to be replaced before its successor."""
    places = [path for path in folder.glob("*") if any(form.fullmatch(path.name) for form in forms)]
    return sorted(places, key=lambda path: (_place(path), not path.name.startswith(".")))


def _place(state: Path) -> tuple[int, int]:
    """Epoch and sample of a state, by its name."""
    match = _NAME.search(state.name)
    return (int(match[1]), int(match[2])) if match else (0, 0)


@contextmanager
def _together(engine: Engine, folder: Path) -> Iterator[None]:
    """Fails in all processes where it fails in one, in the same words; inside, none waits for another."""
    fault, cause = "", None
    try:
        yield
    except (OSError, RuntimeError, RmldnnError) as error:
        cause = error
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        fault = str(error) if isinstance(error, RmldnnError) else f"{words.splitlines()[0]}; make room there"
    for words in filter(None, engine.everyone(fault)):
        raise RmldnnError(f"cannot save the state of the training to `{folder}`: {words}") from cause


def _require(partial: Path, files: Mapping[str, Any]) -> None:
    """Looks for what other processes wrote.

    Raises:
        RmldnnError: They wrote it to disks of their own.
    """
    for name, said in files.items():
        file = partial / name
        if not file.is_file() or file.stat().st_size != said["bytes"]:
            raise RmldnnError(f"`{name}` of another process is not there; take a `run_folder` that all machines share")


def _complete(partial: Path, place: Path, manifest: Mapping[str, Any]) -> None:
    """Gives a state its name, with all that it consists of on the disk."""
    with (partial / _MANIFEST).open("w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    sync(partial)
    former = place.with_name(f".{place.name}.former")
    if place.exists():  # of an earlier run, or of this one before it went back
        shutil.rmtree(former, ignore_errors=True)
        place.rename(former)
    partial.rename(place)
    sync(place.parent)
    shutil.rmtree(former, ignore_errors=True)


def _checked(engine: Engine, place: Path) -> tuple[State | None, str]:
    """A state if all processes find it undamaged, each of which reads a part of its files; else what is wrong."""
    manifest, fault = _looked_at(place, engine.rank, engine.world)
    fault = next(filter(None, engine.everyone(fault)), "")
    return (None if fault else State(place, manifest)), fault


def _looked_at(place: Path, rank: int, world: int) -> tuple[dict[str, Any], str]:
    try:
        manifest: dict[str, Any] = json.loads((place / _MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] not in (FORMAT, IN_SHARDS):
            return {}, f"its format is {manifest['format']}, this version reads {FORMAT} and {IN_SHARDS}"
        for number, (name, facts) in enumerate(manifest["files"].items()):
            size = (place / name).stat().st_size
            if size != facts["bytes"]:
                return {}, f"`{name}` has {size} bytes, not {facts['bytes']}"
            if number % world == rank and sha256(place / name) != facts["sha256"]:
                return {}, f"`{name}` has changed since it was written (sha256)"
    except OSError as error:
        return {}, f"`{error.filename}`: {error.strerror}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}, f"`{_MANIFEST}` cannot be understood"
    return manifest, ""
