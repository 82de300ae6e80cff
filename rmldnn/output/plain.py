"""The log of the original, line by line: scripts parse it, so its every blank is deliberate."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TextIO

from rmldnn.output.matrix import TITLE, matrix_lines
from rmldnn.output.records import connect
from rmldnn.output.rows import Group, Row, Rows, number, show
from rmldnn.output.updates import Held
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
    whoever follows the log finds every line. Lines of batches wait for a second at most, so that the numbers of a fast
    run are read from their device together; they bear the time at which they were due.

    Args:
        stream: Where the lines go; standard output by default.
        clock: Gives the time in seconds by which lines wait.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.perf_counter) -> None:
        self._stream = stream or sys.stdout
        self._held: Held[tuple[int, str]] = Held(clock)
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
        """Writes what the original writes of a step; reads tensors only of lines that are written, and those rarely."""
        match step:
            case TrainStep() | EvalStep():
                if shown(step.batch, step.num_batches):
                    self._held.add((time.time_ns(), _line(step)), _numbers(step))
                if self._held.due:
                    self._write_held()
            case TrainEnd():
                self._line(_RULE)
            case EvalEnd():
                self._last = step
                if main := [f"{name} = {number(float(value))}" for name, value in _scalars(step) if "/" not in name]:
                    self._line(f"Eval  Epoch [{step.epoch:3d}/{step.num_epochs:3d}] : {'; '.join(main)}")
                self._line(_RULE)

    def finish(self, paths: Sequence[tuple[str, str]]) -> None:
        """Writes the last test result, where every output lies, and that all is done."""
        rows: list[Row] = []
        if self._last is not None and self._last.loss is not None:
            rows.append(("Test loss", number(float(self._last.loss))))
        if self._last is not None and self._last.accuracy is not None:
            rows.append(("Test accuracy", f"{float(self._last.accuracy):.3f}"))
        if self._last is not None:
            rows += [(name, number(float(value))) for name, value in _scalars(self._last)]
        if self._last is not None and (lines := matrix_lines(self._last)):
            self.section(TITLE, [(line, "") for line in lines])
        if rows or paths:
            self.section("Result", [*rows, *paths])
        self._line("All done (return value = 0).")

    def close(self) -> None:
        """Writes the lines that wait, and stops listening to the logger."""
        try:
            self._write_held()
        finally:
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

    def _write_held(self) -> None:
        for (now, line), numbers in self._held.take():
            self._write(now, line % tuple(numbers))

    def _line(self, text: str) -> None:
        self._write_held()
        self._write(time.time_ns(), text)

    def _write(self, now: int, text: str) -> None:
        second, nanoseconds = divmod(now, 1_000_000_000)
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


def _line(step: TrainStep | EvalStep) -> str:
    """The line of a step, with places for its numbers, which are read later; keeps none of its tensors."""
    line = f"Epoch [{step.epoch:3d}/{step.num_epochs:3d}] : Batch [{step.batch:5d}/{step.num_batches:5d}]"
    if isinstance(step, TrainStep):
        percent = 100 / (step.data_seconds + step.compute_seconds or 1)
        data, compute = int(percent * step.data_seconds), int(percent * step.compute_seconds)
        others = "".join(f"; {name}: %.4f" for name in step.losses)
        return f"Train {line} (Loss = %.4f; |g| = %.4f{others}) [Data: {data}%%; Compute: {compute}%%]"
    loss = " (Loss: %.4f)" if step.loss is not None else ""
    return f"Eval  {line}{loss}" + (" | Accuracy: %.3f" if step.accuracy is not None else "")


def _numbers(step: TrainStep | EvalStep) -> list[Tensor]:
    """The numbers of the line of a step, those that there are."""
    if isinstance(step, TrainStep):
        return [step.loss, step.grad_norm, *step.losses.values()]
    scalars = [step.loss, step.accuracy]
    return [scalar for scalar in scalars if scalar is not None]


def _scalars(step: EvalEnd) -> list[tuple[str, Tensor]]:
    """The metrics that are numbers."""
    return [(name, value) for name, value in step.metrics.items() if value.ndim == 0]
