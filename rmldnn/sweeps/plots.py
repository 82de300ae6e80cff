"""Drawings of a sweep: its course, its trials, which parameters matter; the only door to matplotlib."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
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
        from optuna.importance import FanovaImportanceEvaluator
        from optuna.visualization import matplotlib as drawings
    except ImportError:
        log.info("No plots: matplotlib is not installed; type: pip install 'rmldnn[sweep]'")
        return []
    folder = study.folder / PLOTS
    made = []
    wanted = [
        ("history", drawings.plot_optimization_history),
        ("parallel_coordinate", drawings.plot_parallel_coordinate),
    ]
    if complete >= _TELLING:
        wanted += [("importance", drawings.plot_param_importances)]
    for name, draw_one in wanted:
        path = folder / f"{name}.png"
        try:
            folder.mkdir(exist_ok=True)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                words = {"evaluator": FanovaImportanceEvaluator(seed=0)} if name == "importance" else {}
                _save(draw_one(study.optunas, target_name=monitor, **words), path, study.parameters)
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


def _save(axes: Any, path: Path, parameters: Sequence[str]) -> None:
    from matplotlib import pyplot
    from matplotlib.collections import LineCollection
    from matplotlib.ticker import MaxNLocator

    main = axes.flat[0] if hasattr(axes, "flat") else axes
    figure = main.figure
    figure.set_size_inches(9, 5)
    if path.stem == "history":
        main.xaxis.set_major_locator(MaxNLocator(integer=True))  # numbers of trials
    if path.stem == "parallel_coordinate":
        for one in figure.axes:
            one.set_facecolor("white")
            one.grid(visible=False)
            for lines in one.collections:
                if isinstance(lines, LineCollection):  # Optuna draws the worst trials white
                    dark_is_good = "viridis_r" if lines.get_cmap().name == "Blues" else "viridis"
                    lines.set(cmap=dark_is_good, linewidth=2, clip_on=False)
        names = [label.get_text() for label in main.get_xticklabels()]  # which Optuna has cut
        whole = {name: [one for one in parameters if one.startswith(name.removesuffix("..."))] for name in names}
        main.set_xticklabels([known[0] if len(known := whole[name]) == 1 else name for name in names], rotation=330)
    try:
        with replacing(path) as partial:  # several workers may end together
            figure.savefig(partial, format="png", dpi=120, bbox_inches="tight")
    finally:
        pyplot.close("all")
