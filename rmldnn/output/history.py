"""The history of a run for programs: `history.csv`, a row for each epoch, `history.jsonl`, a line for each event."""

from __future__ import annotations

import csv
import io
import json
import logging
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rmldnn.output.log_file import LogFile
from rmldnn.output.step_log import StepLog
from rmldnn.output.updates import Update
from rmldnn.steps import EvalEnd, TrainEnd

log = logging.getLogger("rmldnn")

_COLUMNS = ["epoch", "train_loss", "learning_rate", "train_seconds", "test_loss", "accuracy", "test_seconds"]
_LINE = 110
"""Bytes of the line of an update, about."""


class History(StepLog):
    """Writes what a run measures, overwriting older files as soon as there is a step to write.

    `history.csv` has the columns `epoch, train_loss, learning_rate, train_seconds, test_loss, accuracy, test_seconds`
    and one for each metric that is a number, as the first epoch has them; a cell is empty where a run has no such
    number, and metrics that come later, with a training that goes on, are only in `history.jsonl`. Lines of
    `history.jsonl` are `{"event": "step", "epoch": 1, "batch": 1, "seconds": 0.35, "loss": 0.7, "grad_norm": 0.5}` for
    each update, `seconds` counted from the begin of the training, and `{"event": "epoch", ...}` with what the row of
    the epoch has, less empty cells, and with metrics that are arrays. Where another network learned from the same
    samples, its loss comes behind: `"generator_loss": 1.2`, and for the epoch `"train_generator_loss"`.

    Since JSON knows finite numbers only, others are the texts `"nan"`, `"inf"` and `"-inf"` there.

    Args:
        folder: The run folder.
        train: Whether the run trains.
        test: Whether it evaluates.
        updates: How many updates it will have, as far as known.

    Raises:
        ConfigError: A file cannot be written, or there is no room for it.
    """

    def __init__(self, folder: str | Path, train: bool, test: bool, updates: int = 0) -> None:
        self._lines = LogFile(str(Path(folder, "history.jsonl")), key="run_folder", needed=updates * _LINE)
        self._rows = LogFile(str(Path(folder, "history.csv")), key="run_folder")
        super().__init__({"csv": self._rows, "jsonl": self._lines}, rows="jsonl")
        self._last = EvalEnd if test else TrainEnd if train else None
        self._epoch: dict[str, Any] = {}
        self._columns: list[str] = []
        self._told: set[str] = set()

    def close(self) -> None:
        """Writes what was held back, also of an evaluation in which the run broke off, and closes the files.

        Raises:
            RmldnnError: A file cannot be written.
        """
        try:
            self._write_updates()
            if self._epoch:
                self._write_epoch()
        finally:
            super().close()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on in the files of an earlier run, as `StepLog` does; columns are those that the file has."""
        super().load_state_dict(state)
        if not self._rows.empty:
            with Path(self._rows.path).open(encoding="utf-8", newline="") as rows:
                self._columns = next(csv.reader(rows))

    def _row(self, update: Update) -> str:
        step = update.step
        return (
            f'{{"event": "step", "epoch": {step.epoch}, "batch": {step.batch}, "seconds": {update.seconds:.6f}, '
            f'"loss": {_number(update.loss)}, "grad_norm": {_number(update.grad_norm)}'
            + "".join(f', "{name}_loss": {_number(loss)}' for name, loss in update.losses.items())
            + "}\n"
        )

    def _end(self, step: TrainEnd | EvalEnd) -> None:
        self._epoch |= {"epoch": step.epoch, **numbers(step)}
        if type(step) is self._last:
            self._write_epoch()

    def _tell_of(self, names: Iterable[str]) -> None:
        """Says once of metrics that they have no column: a file with more would not be that of earlier states."""
        if new := [name for name in names if name not in self._told]:
            self._told.update(new)
            known = ", ".join(f"`{name}`" for name in new)
            log.warning(f"`{self._rows.path}` was begun without {known}: find them in `{self._lines.path}`")

    def _write_epoch(self) -> None:
        epoch, self._epoch = self._epoch, {}
        rows = []
        metrics = [name for name, value in epoch.items() if not isinstance(value, list) and name not in _COLUMNS]
        if self._rows.empty:
            self._columns = [*_COLUMNS, *metrics]
            rows.append(self._columns)
        self._tell_of(name for name in metrics if name not in self._columns)
        rows.append([epoch.get(name, "") for name in self._columns])
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        self._rows.write(text.getvalue())
        self._lines.write(json.dumps(_standard({"event": "epoch", **epoch}), allow_nan=False) + "\n")


def numbers(end: TrainEnd | EvalEnd) -> dict[str, Any]:
    """The numbers of one half of an epoch by name, as the history calls them; those that there are; reads tensors."""
    if isinstance(end, TrainEnd):
        return {
            "train_loss": end.loss.tolist(),
            "learning_rate": end.learning_rate,
            "train_seconds": round(end.seconds, 6),
            **{f"train_{name}_loss": loss.tolist() for name, loss in end.losses.items()},
        }
    tensors = {"test_loss": end.loss, "accuracy": end.accuracy}
    known = {name: value.tolist() for name, value in tensors.items() if value is not None}
    metrics = {name: value.tolist() for name, value in end.metrics.items()}
    return {**known, "test_seconds": round(end.seconds, 6), **metrics}


def _number(value: float) -> str:
    """A float32 in as many digits as tell it from all others."""
    return f"{value:.9g}" if math.isfinite(value) else f'"{value}"'


def _standard(value: Any) -> Any:
    """A value as standard JSON can say it."""
    if isinstance(value, dict):
        return {key: _standard(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_standard(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
