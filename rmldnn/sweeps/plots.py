"""Drawings of a sweep: its course, its trials, which parameters matter; the only door to matplotlib."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

from rmldnn.disk import reason, replacing
from rmldnn.sweeps.record import Record

log = logging.getLogger("rmldnn")

PLOTS = "plots"
_LEAST = 2
"""Completed trials without which there is nothing to compare."""
_TELLING = 10
"""Completed trials without which the importance of parameters is chance."""


def draw(study: Record, monitor: str) -> list[Path]:
    """Writes `history.png`, `parallel_coordinate.png` and `importance.png`, and says what cannot be drawn.

    Args:
        study: The sweep.
        monitor: What the axis is called.

    Returns:
        The files.
    """
    complete = sum(1 for _, outcome in study.trials() if outcome.state == "complete")
    if complete < _LEAST:
        return []
    try:
        import matplotlib as mpl

        mpl.use("agg")
        from optuna.visualization import matplotlib as drawings
    except ImportError:
        log.info("No plots: matplotlib is not installed; type: pip install 'rmldnn[sweep]'")
        return []
    folder = study.folder / PLOTS
    made = []
    for name, draw_one, words in (
        ("history", drawings.plot_optimization_history, {"target_name": monitor}),
        ("parallel_coordinate", drawings.plot_parallel_coordinate, {"target_name": monitor}),
        ("importance", drawings.plot_param_importances, {"target_name": monitor}),
    ):
        path = folder / f"{name}.png"
        if name == "importance" and complete < _TELLING:
            log.info("No plot `%s`: it needs %d completed trials", path.name, _TELLING)
            continue
        try:
            folder.mkdir(exist_ok=True)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                _save(draw_one(study.optunas, **words), path)
        except OSError as error:
            log.warning("No plot `%s`: cannot write to `%s`: %s", path.name, folder, reason(error, folder))
            continue
        except (
            ImportError,
            ValueError,
            RuntimeError,
            ZeroDivisionError,
            IndexError,
        ) as error:  # too few trials, or all alike
            log.info("No plot `%s`: %s", path.name, (str(error) or type(error).__name__).splitlines()[0])
            continue
        made.append(path)
    return made


def _save(axes: Any, path: Path) -> None:
    from matplotlib import pyplot

    figure = axes.flat[0].figure if hasattr(axes, "flat") else axes.figure
    figure.set_size_inches(9, 5)
    if path.stem == "parallel_coordinate":
        for one in figure.axes:
            one.set_facecolor("0.7")  # the worst trials are drawn white
    try:
        with replacing(path) as partial:  # several workers may end together
            figure.savefig(partial, format="png", dpi=120, bbox_inches="tight")
    finally:
        pyplot.close("all")
