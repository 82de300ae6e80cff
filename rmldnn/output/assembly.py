"""Predictions of slices put together again, beside inference: `hdf5_outfile`."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from rmldnn.data.slices import Cut, Sliced
from rmldnn.disk import replacing
from rmldnn.errors import ConfigError, Problem
from rmldnn.output.blending import Blending
from rmldnn.output.places import saving
from rmldnn.output.volumes import Volumes
from rmldnn.steps import EvalEnd, EvalStep, Step

if TYPE_CHECKING:
    from torch import Tensor

_log = logging.getLogger("rmldnn")

_EVERY = 2.0
"""Seconds between two notes of how far the work is."""


class Assembly:
    """Consumes the steps of an evaluation and writes their predictions to where the slices were cut.

    A dataset for each set of slices, named after the set, and below the name of the array where there are several; of
    the extent of the array, less remainders that were left out. Where slices overlap it holds their mean.

    The file grows in a hidden one beside it, with a note of how far it is. A run that was killed and is started again
    begins with the slices that reach into what is not final: `resume_at`. The result is the same, bit for bit.

    Args:
        path: The file.
        slices: The samples that are predicted, in their order.
        half: Whether to store 16-bit floats.
        blend: How slices that overlap are weighed.
        channels: Where the axis of the channels is.
        fingerprint: Of the network's weights; work begun with others is not continued. Empty: it is never continued.
    """

    def __init__(
        self,
        path: str,
        slices: Sliced,
        *,
        half: bool = False,
        blend: Literal["uniform", "gaussian"] = "uniform",
        channels: Literal["first", "last"] = "last",
        fingerprint: str = "",
        every: float = _EVERY,
    ) -> None:
        self.path = path
        self.slices = slices
        self.outputs: list[tuple[str, str]] = []
        """What was written, and its path."""
        self._half = half
        self._channels: Literal["first", "last"] = channels
        self._every = every
        self._blendings = [Blending(cut.grid, blend) for cut in slices.cuts]
        self._work = _fingerprint(slices, [half, blend, channels, fingerprint]) if fingerprint else ""
        target = Path(path)
        self._part = target.with_name(f".{target.name}.part")
        self._marker = target.with_name(f".{target.name}.part.json")
        self._volumes: Volumes | None = None
        self._noted = 0.0
        self._floor: tuple[int, int] | None = None
        self._next, self._num_channels = self._begun()
        self.resume_at = self._first_to_do(self._next) if self._next else 0
        """The first sample that is needed; those before it are done."""
        self._next = self.resume_at
        if self.resume_at:
            _log.info(f"Continuing `{path}` at slice {self.resume_at + 1} of {len(slices)}")

    def consume(self, step: Step) -> None:
        """Puts the predictions of a batch into their places, and completes the file when the evaluation is over.

        Raises:
            ConfigError: The network does not keep the extent of the slices.
            RmldnnError: The file cannot be written.
        """
        match step:
            case EvalStep() if step.epoch == step.num_epochs and step.predictions is not None:
                self.add(step.predictions)
            case EvalEnd() if step.epoch == step.num_epochs:
                self._complete()

    def add(self, predictions: Tensor) -> None:
        """Puts the predictions of the next slices into their places.

        Args:
            predictions: Shape (n, C, *spatial), on any device.

        Raises:
            ConfigError: The network does not keep the extent of the slices.
            RmldnnError: The file cannot be written.
        """
        arrays = predictions.detach().float().cpu().movedim(1, -1).numpy()
        volumes = self._opened(arrays.shape[-1])
        for array in arrays:
            cut, number = self.slices.at(self._next)
            self._put(volumes, cut, number, array)
            self._next += 1
        if self._work and time.monotonic() - self._noted > self._every:
            self._note(volumes)

    def close(self) -> None:
        """Lets go of the file; one that is not complete is kept where its work can be continued."""
        if self._volumes is None:
            return
        if self._work:
            self._note(self._volumes)
        self._volumes.close()
        self._volumes = None
        if not self._work:
            self._part.unlink(missing_ok=True)

    def _put(self, volumes: Volumes, cut: Cut, number: int, array: NDArray[Any]) -> None:
        made = cut.grid.slicer
        if array.shape[:-1] != made.sample_extent:
            raise ConfigError(
                Problem(
                    "data.hdf5_outfile",
                    f"needs a network that keeps the extent of slices: slices of {list(made.sample_extent)} (`"
                    f"{made.name}`) become {list(array.shape[:-1])}",
                )
            )
        if made.transpose:
            array = array.swapaxes(0, 1)
        window = cut.grid.window(number)
        inner = tuple(
            slice(low, low + part.stop - part.start) for (low, _), part in zip(made.pads, window, strict=True)
        )
        array = array.reshape(*made.padded, array.shape[-1])[inner]
        place = self.slices.cuts.index(cut)
        floor = self._floor[1] if self._floor is not None and self._floor[0] == place else 0
        start, stop = window[0].start, window[0].stop
        share, first = (None, None) if made.disjoint else self._blendings[place].share(number)
        rows = volumes.rows(place)
        for low in range(max(start, floor), stop, rows):  # rows above the floor are final
            part = slice(low - start, min(low + rows, stop) - start)
            here = volumes[place][(slice(low, start + part.stop), *window[1:])]
            new = array[part]
            if share is not None and first is not None:
                mean = here + (new - here) * share[part, ..., None]
                new = np.where(first[part, ..., None], new, mean)
            here[...] = new
            del here
            volumes.relieve()

    def _opened(self, num_channels: int) -> Volumes:
        if self._volumes is None:
            several = len(self.slices.arrays.names) > 1
            names = [
                f"{self.slices.arrays.names[cut.array]}/{cut.grid.slicer.name}" if several else cut.grid.slicer.name
                for cut in self.slices.cuts
            ]
            shapes = [(*cut.grid.covered, num_channels) for cut in self.slices.cuts]
            narrow = self._half and all(made.disjoint for made in self.slices.slicers)
            kept = self.resume_at > 0 and num_channels == self._num_channels
            with saving(self.path):
                self._volumes = Volumes(
                    self._part, names, shapes, np.float16 if narrow else np.float32, self._channels, kept=kept
                )
            self._num_channels = num_channels
            self._noted = time.monotonic()
        return self._volumes

    def _complete(self) -> None:
        if self._volumes is None:
            return
        with saving(self.path):
            self._volumes.flush()
            if self._half:
                self._volumes.narrow()
            self._volumes.close()
            self._part.replace(self.path)
            self._marker.unlink(missing_ok=True)
        self._volumes = None
        self.outputs = [("Assembled predictions", self.path)]

    def _note(self, volumes: Volumes) -> None:
        """Writes down how far the work is, after it is on the disk."""
        with saving(self.path):
            volumes.flush()
            with replacing(self._marker) as partial:
                note = {"work": self._work, "next": self._next, "channels": self._num_channels}
                partial.write_text(json.dumps(note), encoding="utf-8")
        self._noted = time.monotonic()

    def _begun(self) -> tuple[int, int]:
        """How far earlier work of the same kind came, and the number of its channels."""
        try:
            note = json.loads(self._marker.read_text(encoding="utf-8"))
            if self._work and note["work"] == self._work and self._part.is_file():
                return int(note["next"]), int(note["channels"])
        except (OSError, ValueError, KeyError, TypeError):
            pass
        self._marker.unlink(missing_ok=True)
        self._part.unlink(missing_ok=True)
        return 0, 0

    def _first_to_do(self, done: int) -> int:
        """The first sample needed where `done` are finished, and later ones may have left traces.

        Those traces lie in rows (along the first axis) that slice `done` begins with or later ones. What is above these
        rows is final; they themselves are made anew by all slices that reach into them.
        """
        done = min(done, len(self.slices) - 1)
        cut, number = self.slices.at(done)
        made = cut.grid.slicer
        if made.disjoint:
            return done
        row = cut.grid.place(number)[0]
        floor = row * made.strides[0]
        self._floor = (self.slices.cuts.index(cut), floor)
        first = next(place for place in range(row + 1) if place * made.strides[0] + made.sizes[0] > floor)
        if cut.first + first == 0:
            self._floor = None  # all of it
        return cut.first + first * (len(cut.grid) // cut.grid.counts[0])


def _fingerprint(slices: Sliced, more: list[Any]) -> str:
    """Of all that the result depends on."""
    files = []
    for index in range(len(slices.arrays.names)):
        place = Path(slices.arrays.locate(index))
        found = next((path for path in (place, *place.parents) if path.is_file()), None)
        stat = os.stat(found) if found else None  # noqa: PTH116 - of a path that may be none
        files.append([str(place), slices.extent(index), stat and [stat.st_size, stat.st_mtime_ns]])
    text = json.dumps([files, [repr(made) for made in slices.slicers], more])
    return hashlib.sha256(text.encode()).hexdigest()
