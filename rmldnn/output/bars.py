"""The moving part of the screen: a bar for the epoch, one for the run, and the numbers of the last batch."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rmldnn.output.epochs import duration
from rmldnn.output.progress import Progress
from rmldnn.output.rows import number
from rmldnn.steps import EvalStep, TrainStep

_NARROW = 60


class Bars:
    """Draws what `progress` knows, and the last numbers it was given.

    Args:
        progress: Follows the steps of the run.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._numbers = Text()

    def look(self, step: TrainStep | EvalStep) -> None:
        """Reads the tensors of a step, which waits for their device."""
        parts: list[tuple[str, str]] = []
        if step.loss is not None:
            parts += [("loss ", "dim"), (number(float(step.loss)), ""), ("   ", "")]
        if isinstance(step, EvalStep) and step.accuracy is not None:
            parts += [("accuracy ", "dim"), (f"{float(step.accuracy):.3f}", ""), ("   ", "")]
        if isinstance(step, TrainStep):
            parts += [("|g| ", "dim"), (number(float(step.grad_norm)), ""), ("   ", "")]
        if self._progress.samples_per_second is not None:
            parts += [(rate(self._progress.samples_per_second), ""), (" samples/s", "dim")]
        self._numbers = Text.assemble(*parts)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yields the lines, fit for the width at hand."""
        progress, step = self._progress, self._progress.step
        if step is None:
            return
        wide = options.max_width >= _NARROW
        grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
        grid.add_column(no_wrap=True)
        grid.add_column(ratio=1)
        grid.add_column(justify="right", no_wrap=True)
        grid.add_column(justify="right", no_wrap=True, min_width=22 if wide else 6)
        phase = "Epoch" if isinstance(step, TrainStep) else "Test"
        times = (progress.phase_elapsed, progress.phase_left)
        grid.add_row(f"{phase} {step.epoch}/{step.num_epochs}", *_bar(progress.phase_done, *times, wide=wide))
        if step.num_epochs > 1:
            times = (progress.run_elapsed, progress.run_left)
            grid.add_row("Run", *_bar(progress.run_done, *times, wide=wide))
        yield Text()
        yield grid
        yield self._numbers


def rate(per_second: float) -> str:
    """Samples per second, to three digits at least: `8,123`, `12.3`, `0.456`."""
    return f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:#.3g}"


def _bar(done: float, elapsed: float, left: float | None, *, wide: bool) -> tuple[ProgressBar, str, Text]:
    bar = ProgressBar(total=1.0, completed=done, style="bar.back", complete_style="cyan", finished_style="green")
    times = [duration(elapsed)] if wide else []
    if left is not None:
        times.append(f"{duration(left)} left" if wide else duration(left))
    return bar, f"{done:4.0%}", Text(", ".join(times), style="dim")
