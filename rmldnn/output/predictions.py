"""Predictions of the test set: `output_<epoch>.h5`, one dataset for each sample."""

from __future__ import annotations

from pathlib import Path as FilePath
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Literal

from rmldnn.component import component
from rmldnn.output.places import writing
from rmldnn.output.rows import Row
from rmldnn.steps import EvalEnd, EvalStep, Step
from rmldnn.types import Path

if TYPE_CHECKING:
    from rmldnn.output.samples import SampleFile

_FORMATS = {"single": "single (32-bit)", "half": "half (16-bit)"}


@component("predictions")
def predictions(
    *, test_output_path: Path | None = None, hdf5_precision: Literal["single", "half"] = "single"
) -> Predictions:
    """Writes what the network gives for each test sample.

    Args:
        test_output_path: Folder for `output_<epoch>.h5`, made if it does not exist; nothing is written without it.
        hdf5_precision: `single` stores 32-bit floats; `half` 16-bit ones, in half the space and to three digits.

    Raises:
        ConfigError: The folder cannot be made or written to.
    """
    if test_output_path is not None:
        with writing(test_output_path, key="data.test_output_path"):
            FilePath(test_output_path).mkdir(parents=True, exist_ok=True)
            TemporaryFile(dir=test_output_path).close()
    return Predictions(test_output_path, half=hdf5_precision == "half")


class Predictions:
    """Consumes steps and writes their predictions.

    A dataset is named like its sample, folders are groups; it holds the network's output without the batch axis,
    channels first. A file gets its name when its evaluation is complete, so that no half-written file ever has it.

    Args:
        folder: Where the files go; None writes nothing.
        half: Whether to store 16-bit floats.
    """

    def __init__(self, folder: str | None, *, half: bool) -> None:
        self._folder = folder
        self._half = half
        self._file: SampleFile | None = None
        self.outputs: list[tuple[str, str]] = []
        """What was written last, and its path."""

    @property
    def rows(self) -> list[Row]:
        """How the log describes this output; empty if there is none."""
        if self._folder is None:
            return []
        return [("Location", self._folder), ("Floating-point format", _FORMATS["half" if self._half else "single"])]

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
                self._file.add(step.names, step.predictions)
            case EvalEnd() if self._file is not None:
                self._file.complete()
                self.outputs = [("Predictions", str(self._file.path))]
                self._file = None

    def close(self) -> None:
        """Removes the file of an evaluation that did not complete."""
        if self._file is not None:
            self._file.discard()
            self._file = None
