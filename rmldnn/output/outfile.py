"""History files: `<outfile>_train.txt`, a row for each batch, and `<outfile>_test.txt`, a line for each evaluation."""

from __future__ import annotations

from rmldnn.output.log_file import LogFile
from rmldnn.output.step_log import StepLog
from rmldnn.output.updates import Update
from rmldnn.steps import EvalEnd, TrainEnd

_COLUMNS = "# time epoch_fraction epoch batch loss grad_norm\n"
_ROW = 50
"""Bytes of a row, about."""


class Outfile(StepLog):
    """Writes the history of a run, overwriting an older one as soon as there is a step to write.

    The training file has the columns `time epoch_fraction epoch batch loss grad_norm`: seconds since training began,
    epochs done, the position in the run, and the loss and gradient norm of that batch. A line of the test file reads
    `Epoch: 1  Loss: 0.6603  Accuracy: 1.000`, less what the run does not know.

    Args:
        path: What the configuration calls `outfile`; folders are made, an ending `.txt` is put last.
        train: Whether the run trains; without training an older training file is left alone.
        test: Whether the run evaluates.
        updates: How many rows the training file will have, as far as known.

    Raises:
        ConfigError: A file cannot be written, or there is no room for it.
    """

    def __init__(self, path: str, *, train: bool = True, test: bool = True, updates: int = 0) -> None:
        stem = path.removesuffix(".txt")
        files: dict[str, LogFile] = {}
        if train:
            files["train"] = LogFile(f"{stem}_train.txt", _COLUMNS, key="outfile", needed=updates * _ROW)
        if test:
            files["test"] = LogFile(f"{stem}_test.txt", key="outfile")
        super().__init__(files, rows="train")

    @property
    def outputs(self) -> list[tuple[str, str]]:
        """What was written, and its path."""
        names = {"train": "Training history", "test": "Test history"}
        return [(names[which], file.path) for which, file in self._files.items()]

    def _row(self, update: Update) -> str:
        step = update.step
        return (
            f"{update.seconds:.6f} {step.epoch - 1 + step.batch / step.num_batches:.6f} {step.epoch} {step.batch} "
            f"{update.loss:.6g} {update.grad_norm:.6g}\n"
        )

    def _end(self, step: TrainEnd | EvalEnd) -> None:
        if isinstance(step, EvalEnd) and "test" in self._files:
            self._files["test"].write(_test_line(step))


def _test_line(step: EvalEnd) -> str:
    parts = [f"Epoch: {step.epoch}"]
    if step.loss is not None:
        parts.append(f"Loss: {float(step.loss):.4f}")
    if step.accuracy is not None:
        parts.append(f"Accuracy: {float(step.accuracy):.3f}")
    return "  ".join(parts) + "\n"
