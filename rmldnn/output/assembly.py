"""Predictions of slices put together again, beside inference: `hdf5_outfile`."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from rmldnn.data.files import fingerprint
from rmldnn.data.slices import Cut, Sliced
from rmldnn.disk import replacing
from rmldnn.errors import ConfigError, Problem
from rmldnn.output.beside import Beside
from rmldnn.output.blending import Blending
from rmldnn.output.parts import border, shares
from rmldnn.output.places import require_room, saving
from rmldnn.output.volumes import Volumes
from rmldnn.steps import EvalEnd, EvalStep, Step

if TYPE_CHECKING:
    from torch import Tensor

_log = logging.getLogger("rmldnn")

_EVERY = 2.0
"""Seconds between two notes of how far the work is, at least."""
_PAUSE = 20
"""So many times as long as a note took, which waits for the disk, until the next."""


@dataclass(frozen=True)
class Crew:
    """The processes that assemble one volume together, all on one machine.

    Args:
        rank: Number of this process.
        world: Number of processes.
        agree: Sums a number over all of them; nobody gets the sum before everybody has come.
    """

    rank: int = 0
    world: int = 1
    agree: Callable[[int], int] = int


class Assembly:
    """Consumes the steps of an evaluation and writes their predictions to where the slices were cut.

    A dataset for each set of slices, named after the set, and below the name of the array where there are several; of
    the extent of the array, less remainders that were left out. Where slices overlap it holds their mean.

    The file grows in a hidden one beside it, with a note of how far it is. A run that was killed and is started again
    begins with the slices that reach into what is not final: `first`. The result is the same, bit for bit, and also
    when several processes share the work: each writes a part of the volume, and predicts for itself what overlaps into
    it.

    Args:
        path: The file.
        slices: The samples that are predicted, in their order.
        num_channels: Of a prediction.
        half: Whether to store 16-bit floats.
        blend: How slices that overlap are weighed.
        channels: Where the axis of the channels is.
        work: What predictions depend on; what was begun with other work is not continued. Empty: it never is.
        every: Seconds between two notes at least; 0 makes one behind every batch.
        crew: Who shares the work.

    Raises:
        RmldnnError: There is no room for the file.
    """

    def __init__(
        self,
        path: str,
        slices: Sliced,
        num_channels: int,
        *,
        half: bool = False,
        blend: Literal["uniform", "gaussian"] = "uniform",
        channels: Literal["first", "last"] = "last",
        work: str = "",
        every: float = _EVERY,
        crew: Crew | None = None,
    ) -> None:
        self.path = path
        self.slices = slices
        self.outputs: list[tuple[str, str]] = []
        """What was written, and its path."""
        self._num_channels = num_channels
        self._half = half
        self._channels: Literal["first", "last"] = channels
        self._every = every
        self._crew = crew or Crew()
        self._blendings = [Blending(cut.grid, blend) for cut in slices.cuts]
        self._work = fingerprint(slices.fingerprint(), half, blend, channels, num_channels, self._crew.world, work)
        self._continued = bool(work)
        target = Path(path)
        self._part = target.with_name(f".{target.name}.part")
        self._begin, self._end = shares(slices, self._crew.world)[self._crew.rank :][:2]
        self.part = self._begin.needed, self._end.slice
        """First and last (exclusive) of the samples that this process predicts."""
        self._volumes: Volumes | None = None
        self._beside = Beside()
        self._next_note = time.monotonic() + every
        self._next = self._begin.needed
        self._open()
        self.first = self._next = self._begin.needed
        """The first sample that is needed; those of the part before it are done."""

    def consume(self, step: Step) -> None:
        """Puts the predictions of a batch into their places, and completes the file when the evaluation is over.

        Raises:
            ConfigError: The network does not keep the extent of the slices.
            RmldnnError: The file cannot be written.
        """
        match step:
            case EvalStep() if step.epoch == step.num_epochs and step.predictions is not None:
                self.add(step.names, step.predictions)
            case EvalEnd() if step.epoch == step.num_epochs:
                self._complete()

    def add(self, names: Sequence[str], predictions: Tensor) -> None:
        """Puts the predictions of the next slices into their places, while the run goes on.

        Args:
            names: Of the slices; those that were left out, as they could not be read, stay zeros.
            predictions: Shape (n, C, *spatial), on any device.

        Raises:
            ConfigError: The network does not keep the extent of the slices.
            RmldnnError: The file cannot be written.
        """
        arrays = predictions.detach().float().cpu().movedim(1, -1).numpy()
        self._beside.do(lambda: self._add(names, arrays))

    def close(self) -> None:
        """Lets go of the file; one that is not complete is kept where its work can be continued."""
        if self._volumes is None:
            return
        try:
            self._beside.finish()
            if self._continued:
                self._note(self._volumes)
        finally:
            self._volumes.close()
            self._volumes = None
            if not self._continued:
                self._part.unlink(missing_ok=True)

    def _add(self, names: Sequence[str], arrays: NDArray[Any]) -> None:
        assert self._volumes is not None  # noqa: S101 - closed only after the last job
        for name, array in zip(names, arrays, strict=True):
            while self.slices.names[self._next] != name:
                self._next += 1
            self._put(self._volumes, *self.slices.at(self._next), array)
            self._next += 1
        if self._continued and time.monotonic() > self._next_note:
            self._note(self._volumes)

    def _put(self, volumes: Volumes, cut: Cut, number: int, array: NDArray[Any]) -> None:
        made, place = cut.grid.slicer, cut.number
        if array.shape != (*made.sample_extent, self._num_channels):
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
        share, first = (None, None) if made.disjoint else self._blendings[place].share(number)
        mine = self._mine(place, window)
        rows = volumes.rows(place)
        for low in range(mine[0].start, mine[0].stop, rows):
            where = (slice(low, min(low + rows, mine[0].stop)), *mine[1:])
            part = tuple(
                slice(item.start - whole.start, item.stop - whole.start)
                for item, whole in zip(where, window, strict=True)
            )
            here = volumes[place][where]
            new = array[part]
            if share is not None and first is not None:
                mean = here + (new - here) * share[part][..., None]
                new = np.where(first[part][..., None], new, mean)
            here[...] = new
            del here
            volumes.relieve()

    def _mine(self, place: int, window: tuple[slice, ...]) -> tuple[slice, ...]:
        """The part of a window that lies behind the border where this process begins, and above that where it ends."""
        if self.slices.cuts[place].grid.slicer.disjoint:
            return window
        bounds = list(window)
        for edge, is_end in ((self._begin, False), (self._end, True)):
            if edge.cut == place:
                old = bounds[edge.axis]
                low, high = (old.start, min(old.stop, edge.row)) if is_end else (max(old.start, edge.row), old.stop)
                bounds[edge.axis] = slice(low, max(low, high))
        return tuple(bounds)

    def _open(self) -> None:
        """Makes the file, or goes on with that of a run that was killed; the first process says which."""
        agree, leads = self._crew.agree, self._crew.rank == 0
        kept = bool(agree(int(leads and self._part.is_file() and self._done() is not None)))
        with saving(self.path):
            if leads:
                self._volumes = self._volume(kept=kept)
                if not kept:
                    for note in self._part.parent.glob(f"{self._part.name}.*.json"):
                        note.unlink(missing_ok=True)
            agree(0)
            if not leads:
                self._volumes = self._volume(kept=True)
        if kept and (done := self._done()):
            self._begin = max(self._begin, border(self.slices, done), key=lambda edge: edge.slice)
            _log.info(f"Continuing `{self.path}` at slice {self._begin.slice + 1} of {len(self.slices)}")
        elif leads and self._continued and self._volumes is not None:
            self._note(self._volumes)

    def _volume(self, *, kept: bool) -> Volumes:
        cuts = self.slices.cuts
        several = len(self.slices.arrays.names) > 1
        names = [
            f"{self.slices.arrays.names[cut.array]}/{cut.grid.slicer.name}" if several else cut.grid.slicer.name
            for cut in cuts
        ]
        shapes = [(*cut.grid.covered, self._num_channels) for cut in cuts]
        narrow = self._half and all(made.disjoint for made in self.slices.slicers)
        kind = np.float16 if narrow else np.float32
        if not kept:
            self._part.unlink(missing_ok=True)
            needed = sum(map(math.prod, shapes)) * np.dtype(kind).itemsize * (1.5 if self._half and not narrow else 1)
            require_room(self._part.parent, int(needed), key="data.hdf5_outfile", what="assembled predictions")
        return Volumes(self._part, names, shapes, kind, self._channels, kept=kept)

    def _complete(self) -> None:
        if self._volumes is None:
            return
        self._beside.finish()
        with saving(self.path):
            self._volumes.flush()
            self._crew.agree(0)
            if self._crew.rank == 0:
                if self._half:
                    self._volumes.narrow()
                self._part.replace(self.path)
            self._volumes.close()
            self._marker.unlink(missing_ok=True)
        self._volumes = None
        self._crew.agree(0)
        self.outputs = [("Assembled predictions", self.path)]

    @property
    def _marker(self) -> Path:
        """The note of how far this process is."""
        return self._part.with_name(f"{self._part.name}.{self._crew.rank}.json")

    def _note(self, volumes: Volumes) -> None:
        """Writes down how far the work is, after it is on the disk."""
        start = time.monotonic()
        with saving(self.path):
            volumes.flush()
            with replacing(self._marker) as partial:
                partial.write_text(json.dumps({"work": self._work, "next": self._next}), encoding="utf-8")
        end = time.monotonic()
        self._next_note = end + max(self._every, _PAUSE * (end - start) if self._every else 0.0)

    def _done(self) -> int | None:
        """The slice that earlier work of the same kind came to; None if there is none."""
        try:
            note = json.loads(self._marker.read_text(encoding="utf-8"))
            return int(note["next"]) if self._continued and note["work"] == self._work else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
