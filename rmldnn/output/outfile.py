"""History files: `<outfile>_train.txt`, a row for each batch, and `<outfile>_test.txt`, a line for each evaluation."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from rmldnn.output.places import saving, writing
from rmldnn.steps import EvalEnd, Step, TrainEnd, TrainStep

_HOLD = 1.0
"""Seconds for which rows may be held back: a device is waited for once in that time, not once per batch."""

_COLUMNS = "# time epoch_fraction epoch batch loss grad_norm\n"


class Outfile:
    """Writes the history of a run, overwriting an older one as soon as there is a step to write.

    The training file has the columns `time epoch_fraction epoch batch loss grad_norm`: seconds since training began,
    epochs done, the position in the run, and the loss and gradient norm of that batch. A line of the test file reads
    `Epoch: 1  Loss: 0.6603  Accuracy: 1.000`, less what the run does not know.

    Rows of the last second may wait in memory; `close` writes them.

    Args:
        path: What the configuration calls `outfile`; folders are made, an ending `.txt` is put last.
        train: Whether the run trains; without training an older training file is left alone.
        test: Whether the run evaluates.

    Raises:
        ConfigError: A file cannot be written.
    """

    def __init__(self, path: str, *, train: bool = True, test: bool = True) -> None:
        stem = path.removesuffix(".txt")
        self._train = _Rows(f"{stem}_train.txt", _COLUMNS) if train else None
        self._test = _Rows(f"{stem}_test.txt") if test else None
        self._held: list[tuple[float, TrainStep]] = []
        self._begun = False
        self._began = self._written = 0.0

    @property
    def outputs(self) -> list[tuple[str, str]]:
        """What was written, and its path."""
        files = (("Training history", self._train), ("Test history", self._test))
        return [(name, file.path) for name, file in files if file]

    def consume(self, step: Step) -> None:
        """Keeps or writes what the files tell of a step.

        Raises:
            RmldnnError: A file cannot be written.
        """
        if not self._begun:
            self._begun = True
            for file in filter(None, (self._train, self._test)):
                file.begin()
        match step:
            case TrainStep():
                now = time.perf_counter()
                self._began = self._began or now - step.data_seconds - step.compute_seconds
                self._held.append((now - self._began, step))
                if now - self._written >= _HOLD:
                    self._write_held()
            case TrainEnd():
                self._write_held()
            case EvalEnd() if self._test:
                self._test.write(_test_line(step))

    def close(self) -> None:
        """Writes the rows that were held back, and closes the files.

        Raises:
            RmldnnError: A file cannot be written.
        """
        try:
            self._write_held()
        finally:
            for file in (self._train, self._test):
                if file:
                    file.close()

    def _write_held(self) -> None:
        held, self._held = self._held, []
        if self._train and held:
            losses = _numbers([step.loss for _, step in held])
            norms = _numbers([step.grad_norm for _, step in held])
            rows = (
                f"{seconds:.6f} {step.epoch - 1 + step.batch / step.num_batches:.6f} {step.epoch} {step.batch} "
                f"{loss:.6g} {norm:.6g}\n"
                for (seconds, step), loss, norm in zip(held, losses, norms, strict=True)
            )
            self._train.write("".join(rows))
        self._written = time.perf_counter()


class _Rows:
    """A text file that holds whole rows only, even on a full disk.

    Args:
        path: The file; folders are made.
        head: Its first row.

    Raises:
        ConfigError: The file cannot be written.
    """

    def __init__(self, path: str, head: str = "") -> None:
        self.path = path
        with writing(path, key="outfile"):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).touch()
            self._file = Path(path).open("r+b", buffering=0)  # noqa: SIM115 - open as long as the run
        self._head = head

    def begin(self) -> None:
        """Forgets what an earlier run wrote.

        Raises:
            RmldnnError: The file cannot be written.
        """
        with saving(self.path):
            self._file.truncate(0)
            self._append(self._head)

    def write(self, rows: str) -> None:
        """Writes rows, each with its line end.

        Raises:
            RmldnnError: They do not all fit; those that do are written.
        """
        with saving(self.path):
            self._append(rows)

    def close(self) -> None:
        """Closes the file."""
        with saving(self.path):
            self._file.close()

    def _append(self, rows: str) -> None:
        data, start, done = rows.encode("ascii"), self._file.tell(), 0
        try:
            while done < len(data):
                done += self._file.write(data[done:])
        except OSError:
            with suppress(OSError):  # the failure to write is the one to tell
                self._file.truncate(self._file.seek(start + data.rfind(b"\n", 0, done) + 1))
            raise


def _numbers(scalars: list[Tensor]) -> list[float]:
    """Reads many scalars with one wait for their device."""
    numbers: list[float] = torch.stack(scalars).tolist()
    return numbers


def _test_line(step: EvalEnd) -> str:
    parts = [f"Epoch: {step.epoch}"]
    if step.loss is not None:
        parts.append(f"Loss: {float(step.loss):.4f}")
    if step.accuracy is not None:
        parts.append(f"Accuracy: {float(step.accuracy):.3f}")
    return "  ".join(parts) + "\n"
