"""History files: `<outfile>_train.txt`, a row for each batch, and `<outfile>_test.txt`, a line for each evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rmldnn.output.log_file import LogFile
from rmldnn.output.updates import Update, Updates
from rmldnn.steps import EvalEnd, Step, TrainEnd, TrainStep

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
        self._files: dict[str, LogFile] = {}
        if train:
            self._files["train"] = LogFile(f"{stem}_train.txt", _COLUMNS, key="outfile")
        if test:
            self._files["test"] = LogFile(f"{stem}_test.txt", key="outfile")
        self._updates = Updates()
        self._begun = False

    @property
    def outputs(self) -> list[tuple[str, str]]:
        """What was written, and its path."""
        names = {"train": "Training history", "test": "Test history"}
        return [(names[which], file.path) for which, file in self._files.items()]

    def consume(self, step: Step) -> None:
        """Keeps or writes what the files tell of a step.

        Raises:
            RmldnnError: A file cannot be written.
        """
        if not self._begun:
            self.load_state_dict({})
        match step:
            case TrainStep():
                if self._updates.add(step):
                    self._write_updates()
            case TrainEnd():
                self._write_updates()
            case EvalEnd() if "test" in self._files:
                self._files["test"].write(_test_line(step))

    def close(self) -> None:
        """Writes the rows that were held back, and closes the files.

        Raises:
            RmldnnError: A file cannot be written.
        """
        try:
            self._write_updates()
        finally:
            for file in self._files.values():
                file.close()

    def state_dict(self) -> dict[str, Any]:
        """What a run that goes on must know; all rows so far are then on the disk.

        Raises:
            RmldnnError: A file cannot be written.
        """
        if not self._begun:
            self.load_state_dict({})
        self._write_updates()
        positions = {which: file.position() for which, file in self._files.items()}
        return {**positions, "seconds": self._updates.seconds}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on in the files of an earlier run, which are cut to what it had written by then.

        Args:
            state: What `state_dict` gave; files that it does not know begin anew.

        Raises:
            ConfigError: A file is shorter than it was.
            RmldnnError: A file cannot be written.
        """
        self._begun = True
        self._updates = Updates(state.get("seconds", 0.0))
        for which, file in self._files.items():
            if which in state:
                file.resume(state[which])
            else:
                file.begin()

    def _write_updates(self) -> None:
        rows = "".join(map(_row, self._updates.take()))
        if rows and "train" in self._files:
            self._files["train"].write(rows)


def _row(update: Update) -> str:
    step = update.step
    return (
        f"{update.seconds:.6f} {step.epoch - 1 + step.batch / step.num_batches:.6f} {step.epoch} {step.batch} "
        f"{update.loss:.6g} {update.grad_norm:.6g}\n"
    )


def _test_line(step: EvalEnd) -> str:
    parts = [f"Epoch: {step.epoch}"]
    if step.loss is not None:
        parts.append(f"Loss: {float(step.loss):.4f}")
    if step.accuracy is not None:
        parts.append(f"Accuracy: {float(step.accuracy):.3f}")
    return "  ".join(parts) + "\n"
