"""Predictions of the test set: `output_<epoch>.h5`, one dataset for each sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Literal

from rmldnn.component import component
from rmldnn.output.places import make_folder, require_room
from rmldnn.output.rows import Row
from rmldnn.steps import EvalEnd, EvalStep, Step
from rmldnn.types import Path

if TYPE_CHECKING:
    from rmldnn.data.slices import Sliced
    from rmldnn.output.assembly import Assembly, Crew
    from rmldnn.output.samples import SampleFile

_FORMATS = {"single": "single (32-bit)", "half": "half (16-bit)"}


@component("predictions")
def predictions(
    *,
    test_output_path: Path | None = None,
    hdf5_outfile: Path | None = None,
    hdf5_precision: Literal["single", "half"] = "single",
    blend: Literal["uniform", "gaussian"] = "uniform",
    channels: Literal["first", "last"] | None = None,
) -> Predictions:
    """Writes what the network gives for each test sample, and puts slices together again.

    Args:
        test_output_path: Folder for `output_<epoch>.h5`, made if it does not exist; none is written without it.
        hdf5_outfile: HDF5 file in which the predictions of slices are put together, one dataset for each slicer; after
            the last epoch. A run that was killed goes on where it was.
        hdf5_precision: `single` stores 32-bit floats; `half` 16-bit ones, in half the space and to three digits.
        blend: What becomes of places that several slices cover: their mean (`uniform`), or a mean in which the middle
            of a slice weighs more than its rim (`gaussian`).
        channels: Where the axis of the channels is in the files; if absent, `first` in `output_<epoch>.h5` and `last`
            in `hdf5_outfile`.

    Raises:
        ConfigError: A place cannot be made or written to.
    """
    if test_output_path is not None:
        make_folder(test_output_path, key="data.test_output_path")
    if hdf5_outfile is not None:
        make_folder(FilePath(hdf5_outfile).parent, key="data.hdf5_outfile")
    return Predictions(
        test_output_path, half=hdf5_precision == "half", outfile=hdf5_outfile, blend=blend, channels=channels
    )


class Predictions:
    """Consumes steps and writes their predictions.

    A dataset is named like its sample, folders are groups; it holds the network's output without the batch axis,
    channels first. A file gets its name when its evaluation is complete, so that no half-written file ever has it.

    Args:
        folder: Where the files go; None writes nothing.
        half: Whether to store 16-bit floats.
        outfile: Where slices are put together; None puts nothing together.
        blend: How slices that overlap are.
        channels: Where the axis of the channels is in the files; None for the habit of each.
    """

    def __init__(
        self,
        folder: str | None,
        *,
        half: bool,
        outfile: str | None = None,
        blend: Literal["uniform", "gaussian"] = "uniform",
        channels: Literal["first", "last"] | None = None,
    ) -> None:
        self._folder = folder
        self._half = half
        self._outfile = outfile
        self._blend: Literal["uniform", "gaussian"] = blend
        self._channels: Literal["first", "last"] | None = channels
        self._file: SampleFile | None = None
        self.outputs: list[tuple[str, str]] = []
        """What was written last, and its path."""

    @property
    def rows(self) -> list[Row]:
        """How the log describes this output; empty if there is none."""
        places = [("Location", self._folder), ("Assembled in", self._outfile)]
        rows: list[Row] = [(label, place) for label, place in places if place is not None]
        return [*rows, ("Floating-point format", _FORMATS["half" if self._half else "single"])] if rows else []

    @property
    def folder(self) -> str | None:
        """Where files go, if there are some."""
        return self._folder

    @property
    def assembles(self) -> bool:
        """Whether slices are put together."""
        return self._outfile is not None

    @property
    def by_sample(self) -> bool:
        """Whether the prediction of each sample is written."""
        return self._folder is not None

    def require_room(self, num_samples: int, shape: Sequence[int | None], num_epochs: int = 1) -> None:
        """Refuses a folder that lacks room for the predictions of each sample.

        Args:
            num_samples: Of the test set.
            shape: Of a prediction; nothing is known where an extent is None.
            num_epochs: Evaluations of the run, as far as known.

        Raises:
            ConfigError: There is no room.
        """
        if self._folder is not None and None not in shape:
            size = num_samples * math.prod(extent or 0 for extent in shape) * (2 if self._half else 4)
            require_room(
                FilePath(self._folder),
                size * num_epochs,
                key="data.test_output_path",
                what="predictions of this run",
                own="output_*.h5",
            )

    def assembly(self, slices: Sliced, num_channels: int, crew: Crew | None = None, work: str = "") -> Assembly:
        """What puts slices together.

        Args:
            slices: The samples that are predicted.
            num_channels: Of a prediction.
            crew: The processes that share the work.
            work: What predictions depend on: those that were begun with other work are not continued.

        Raises:
            RmldnnError: There is no room for the file.
        """
        from rmldnn.output.assembly import Assembly  # h5py is for those who want it

        assert self._outfile is not None  # noqa: S101 - `assembles`
        return Assembly(
            self._outfile,
            slices,
            num_channels,
            half=self._half,
            blend=self._blend,
            channels=self._channels or "last",
            work=work,
            crew=crew,
        )

    def consume(self, step: Step) -> None:
        """Stores the predictions of an evaluated batch, and completes the file when the evaluation is over.

        Raises:
            DataError: Two samples have the same name, or a sample has none.
            RmldnnError: The file cannot be written.
        """
        match step:
            case EvalStep() if self._folder is not None and step.predictions is not None and step.names:
                if self._file is None:
                    from rmldnn.output.samples import SampleFile  # h5py is for those who want predictions

                    self._file = SampleFile(FilePath(self._folder, f"output_{step.epoch}.h5"), half=self._half)
                last = self._channels == "last" and step.predictions.ndim > 1
                self._file.add(step.names, step.predictions.movedim(1, -1) if last else step.predictions)
            case EvalEnd() if self._file is not None:
                self._file.complete()
                self.outputs = [("Predictions", str(self._file.path))]
                self._file = None

    def close(self) -> None:
        """Removes the file of an evaluation that did not complete."""
        if self._file is not None:
            self._file.discard()
            self._file = None
