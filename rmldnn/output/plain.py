"""The log of the original, line by line: scripts parse it, so its every blank is deliberate."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from rmldnn.output.records import connect
from rmldnn.output.rows import Group, Row, Rows, show
from rmldnn.output.versions import versions
from rmldnn.steps import EvalEnd, EvalStep, Step, TrainEnd, TrainStep

if TYPE_CHECKING:
    from torch import Tensor

_RULE = 45 * "-"
_INDENT = 3 * " "
_NESTED_WIDTH = 22
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class PlainConsole:
    """Writes time-stamped lines.

    Each line is flushed as it is written: that costs about a microsecond, at most a hundred times per epoch, and
    whoever follows the log or kills the run finds every line.

    Args:
        stream: Where the lines go; standard output by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._second = -1
        self._stamp = ""
        self._last: EvalEnd | None = None
        self._disconnect = connect(self.text)

    def header(self, num_processes: int) -> None:
        """Writes the program's versions and the number of processes."""
        self._line(versions())
        self._line(f"RocketML : {num_processes} MPI process{'es' if num_processes > 1 else ''}")

    def section(self, title: str, rows: Rows, *, footer: bool = True) -> None:
        """Writes a titled block of rows.

        A row with an empty value is its label alone. A section made of groups keeps their titles at the margin.
        """
        dashes = 43 - len(title)
        self._line(f"{(dashes + 1) // 2 * '-'} {title} {dashes // 2 * '-'}")
        self._rows(rows, "" if all(isinstance(value, Group) for _, value in rows) else _INDENT)
        if footer:
            self._line(_RULE)

    def text(self, line: str) -> None:
        """Writes a line of text; each line of a longer text gets its own time."""
        for part in line.splitlines() or [""]:
            self._line(part)

    def consume(self, step: Step) -> None:
        """Writes what the original writes of a step; converts tensors only for lines that are written."""
        match step:
            case TrainStep() if shown(step.batch, step.num_batches):
                self._line(_train_line(step))
            case EvalStep() if shown(step.batch, step.num_batches):
                self._line(_eval_line(step))
            case TrainEnd():
                self._line(_RULE)
            case EvalEnd():
                self._last = step
                if main := [f"{name} = {float(value):.4f}" for name, value in _scalars(step) if "/" not in name]:
                    self._line(f"Eval  Epoch [{step.epoch:3d}/{step.num_epochs:3d}] : {'; '.join(main)}")
                self._line(_RULE)

    def finish(self, paths: Sequence[tuple[str, str]]) -> None:
        """Writes the last test result, where every output lies, and that all is done."""
        rows: list[Row] = []
        if self._last is not None and self._last.loss is not None:
            rows.append(("Test loss", f"{float(self._last.loss):.4f}"))
        if self._last is not None and self._last.accuracy is not None:
            rows.append(("Test accuracy", f"{float(self._last.accuracy):.3f}"))
        if self._last is not None:
            rows += [(name, f"{float(value):.4f}") for name, value in _scalars(self._last)]
        if rows or paths:
            self.section("Result", [*rows, *paths])
        self._line("All done (return value = 0).")

    def close(self) -> None:
        """Stops listening to the logger; there is nothing left to flush."""
        self._disconnect()

    def _rows(self, rows: Rows, indent: str, width: int = 0) -> None:
        width = max([width, *(len(label) for label, value in rows if not isinstance(value, Group))])
        for label, value in rows:
            if isinstance(value, Group):
                self._line(f"{indent}{label}:")
                self._rows(value.rows, indent + _INDENT, _NESTED_WIDTH if indent else 0)
            elif value == "":
                self._line(indent + label)
            else:
                # the one flag that the original writes as a word
                text = str(value) if label == "Verbose" else show(value)
                self._line(f"{indent}{label:<{width}}: {text}")

    def _line(self, text: str) -> None:
        second, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        if second != self._second:
            self._second, self._stamp = second, _stamp(second)
        line = f"{self._stamp}.{nanoseconds // 1000:06d}] {text}\n"
        try:
            self._stream.write(line)
        except UnicodeEncodeError:  # a file name that the terminal's encoding lacks must not end a training
            self._stream.write(line.encode("ascii", "backslashreplace").decode("ascii"))
        self._stream.flush()


def shown(batch: int, num_batches: int) -> bool:
    """Whether a batch gets a line: all do up to a hundred batches, else one for each percent of the epoch."""
    return 100 * batch // num_batches > 100 * (batch - 1) // num_batches


def _stamp(second: int) -> str:
    """`[2022-Mar-24 21:44:12` in local time, in English whatever the locale."""
    now = time.localtime(second)
    return f"[{now.tm_year}-{_MONTHS[now.tm_mon - 1]}-{now.tm_mday:02d} " + time.strftime("%H:%M:%S", now)


def _train_line(step: TrainStep) -> str:
    percent = 100 / (step.data_seconds + step.compute_seconds or 1)
    return "Train Epoch [%3d/%3d] : Batch [%5d/%5d] (Loss = %.4f; |g| = %.4f) [Data: %d%%; Compute: %d%%]" % (  # noqa: UP031
        step.epoch,
        step.num_epochs,
        step.batch,
        step.num_batches,
        float(step.loss),
        float(step.grad_norm),
        percent * step.data_seconds,
        percent * step.compute_seconds,
    )


def _eval_line(step: EvalStep) -> str:
    line = f"Eval  Epoch [{step.epoch:3d}/{step.num_epochs:3d}] : Batch [{step.batch:5d}/{step.num_batches:5d}]"
    if step.loss is not None:
        line += f" (Loss: {float(step.loss):.4f})"
    if step.accuracy is not None:
        line += f" | Accuracy: {float(step.accuracy):.3f}"
    return line


def _scalars(step: EvalEnd) -> list[tuple[str, Tensor]]:
    """The metrics that are numbers."""
    return [(name, value) for name, value in step.metrics.items() if value.ndim == 0]
