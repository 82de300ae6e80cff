"""States of a training on the disk: whole or absent, and known to be undamaged.

A state is a folder `epoch_3_sample_1280` with some files and `manifest.json`, which has size and SHA-256 of each. It is
made under another name, and gets its own when everything is on the disk; so a process may be killed, or a disk be full,
at any instant.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rmldnn.disk import Disk
from rmldnn.errors import CheckpointError, Problem, RmldnnError

log = logging.getLogger("rmldnn")

FORMAT = "rmldnn-state-1"
_MANIFEST = "manifest.json"
_NAME = re.compile(r"epoch_(\d+)_sample_(\d+)")
_FORMER = re.compile(rf"\.{_NAME.pattern}\.former")
"""A state that is about to be replaced by another one of the same place in the training."""
_CHUNK = 2**22


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
        """What was saved as a part; tensors come to the CPU. No code of the file is run."""
        return torch.load(self.folder / f"{part}.pt", map_location="cpu", weights_only=True)


def save(folder: Path, epoch: int, sample: int, parts: Mapping[str, Any], facts: Mapping[str, Any]) -> Path:
    """Writes a state.

    Args:
        folder: The folder of all states of a run; made if need be.
        epoch: The epoch that is running, from 1.
        sample: Training samples of it that were learned from.
        parts: What to save, by name: tensors, numbers, texts, lists and dictionaries.
        facts: What is to be known without loading.

    Returns:
        Where it is.

    Raises:
        RmldnnError: It cannot be written; nothing of it is left.
    """
    place = folder / f"epoch_{epoch}_sample_{sample}"
    partial = folder / f".{place.name}.part"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        files = {f"{name}.pt": _write(partial / f"{name}.pt", part) for name, part in parts.items()}
        manifest = {"format": FORMAT, "epoch": epoch, "sample": sample, "files": files, **facts}
        with (partial / _MANIFEST).open("w", encoding="utf-8") as file:
            json.dump(manifest, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        _sync(partial)
        former = folder / f".{place.name}.former"
        if place.exists():  # of an earlier run, or of this one before it went back
            shutil.rmtree(former, ignore_errors=True)
            place.rename(former)
        partial.rename(place)
        _sync(folder)
        shutil.rmtree(former, ignore_errors=True)
    except (OSError, RuntimeError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
        raise RmldnnError(f"cannot save the state of the training to `{folder}`: {reason}; make room there") from error
    return place


def newest(folder: Path) -> State | None:
    """The state that is furthest; damaged ones are told and passed over. None if there is none."""
    for place in reversed(_listed(folder, _NAME, _FORMER)):
        state, fault = _checked(place)
        if state is not None:
            return state
        log.warning(f"the state `{place}` is damaged and is not used: {fault}")
    return None


def load(folder: Path) -> State:
    """A state by its folder.

    Raises:
        CheckpointError: It is none, or is damaged.
    """
    state, fault = _checked(folder)
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


def _write(path: Path, content: Any) -> dict[str, Any]:
    with Disk(path, "w") as file:
        torch.save(content, file)
        file.check()
        os.fsync(file.fileno())
    return {"bytes": path.stat().st_size, "sha256": _digest(path)}


def _checked(place: Path) -> tuple[State | None, str]:
    try:
        manifest = json.loads((place / _MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            return None, f"its format is {manifest['format']}, this version reads {FORMAT}"
        for name, facts in manifest["files"].items():
            size = (place / name).stat().st_size
            if size != facts["bytes"]:
                return None, f"`{name}` has {size} bytes, not {facts['bytes']}"
            if _digest(place / name) != facts["sha256"]:
                return None, f"`{name}` has changed since it was written (sha256)"
    except OSError as error:
        return None, f"`{error.filename}`: {error.strerror}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, f"`{_MANIFEST}` cannot be understood"
    return State(place, manifest), ""


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in _chunks(file):
            digest.update(chunk)
    return digest.hexdigest()


def _chunks(file: Any) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _sync(folder: Path) -> None:
    """Brings the names in a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
