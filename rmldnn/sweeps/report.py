"""What a sweep leaves behind: `trials.csv`, the best configuration and network in `best_model/`, a table, plots."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tempfile
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from rmldnn.config.groups import ROOT
from rmldnn.config.keys import Values
from rmldnn.disk import replacing
from rmldnn.output.places import saving
from rmldnn.output.rows import number
from rmldnn.output.tables import print_table
from rmldnn.sweeps.trial import MODEL, Outcome, Trial

TABLE = "trials.csv"
BEST = "best_model"
_COLUMNS = ("trial", "state", "value", "epoch", "epochs", "seconds", "copy_of")
_WORDS = 60
"""Letters of what went wrong with a trial, in the table."""

Trials = Sequence[tuple[Trial, Outcome]]


def best(trials: Trials, *, minimize: bool) -> tuple[Trial, Outcome] | None:
    """The best of the trials that were run and completed; of equals the first."""
    sign = 1 if minimize else -1
    done = [
        (sign * outcome.value, trial.number, trial, outcome)
        for trial, outcome in trials
        if outcome.state == "complete" and outcome.value is not None and outcome.copy_of is None
    ]
    return min(done, key=lambda item: item[:2])[2:] if done else None


def write_table(folder: Path, trials: Trials) -> None:
    """Writes `trials.csv`: a row for each trial, with a column for each parameter."""
    parameters = list(dict.fromkeys(path for trial, _ in trials for path in trial.values))
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([*_COLUMNS, *parameters, "failure"])
    for trial, outcome in trials:
        values = ["" if path not in trial.values else _cell(trial.values[path]) for path in parameters]
        rows.writerow([*_row(trial, outcome), *values, outcome.failure])
    with saving(str(folder / TABLE)), replacing(folder / TABLE) as partial:
        partial.write_text(text.getvalue(), encoding="utf-8")


def _row(trial: Trial, outcome: Outcome) -> list[object]:
    value = "" if outcome.value is None else outcome.value
    copy = "" if outcome.copy_of is None else outcome.copy_of
    return [trial.number, outcome.state, value, outcome.epoch or "", outcome.epochs, outcome.seconds, copy]


def _cell(value: object) -> str:
    """A value for programs: a text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def about(trial: Trial, outcome: Outcome, monitor: str, sweep: str) -> Values:
    """What is told of the best trial in `best_model/trial.json`.

    Args:
        trial: The best trial.
        outcome: How it ended.
        monitor: What is best in it.
        sweep: What tells the sweep from others in the same folder.
    """
    reached = {"monitor": monitor, "value": outcome.value, "epoch": outcome.epoch}
    return {"trial": trial.number, **reached, "parameters": dict(trial.values), "sweep": sweep}


def keep(folder: Path, trial: Trial, told: Values, config: Mapping[str, object]) -> None:
    """Makes `best_model/`: the configuration of a trial, its best network, and what it reached.

    Args:
        folder: The sweep's folder.
        trial: The best trial.
        told: What it reached; see `about`.
        config: Its composed configuration, with the user's own places of outputs.
    """
    old = folder / BEST
    with saving(str(old)):
        for left in folder.glob(f".{BEST}.*"):
            shutil.rmtree(left, ignore_errors=True)  # NFS may keep names of open files for a while
        place = Path(tempfile.mkdtemp(dir=folder, prefix=f".{BEST}."))
        new = place / "new"
        new.mkdir()
        for path in (trial.folder / MODEL).glob("model_checkpoint_best.*"):
            shutil.copyfile(path, new / path.name)
        for name, content in (("config.json", {ROOT: config}), ("trial.json", told)):
            (new / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if old.exists():
            old.rename(place / "old")
        new.rename(old)
        shutil.rmtree(place, ignore_errors=True)


def kept(folder: Path) -> Values:
    """What is told of the trial in `best_model/`; nothing if there is none."""
    try:
        told = json.loads((folder / BEST / "trial.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def print_trials(trials: Trials, monitor: str, *, minimize: bool) -> None:
    """Prints the table of all trials, the best first."""
    parameters = list(dict.fromkeys(path for trial, _ in trials for path in trial.values))
    order = ("complete", "pruned", "failed")
    sign = 1 if minimize else -1
    ranked = sorted(
        trials,
        key=lambda item: (order.index(item[1].state), sign * (item[1].value or 0.0), item[0].number),
    )
    rows = [
        [
            str(trial.number),
            outcome.state,
            "" if outcome.value is None else number(outcome.value),
            f"{outcome.epoch}/{outcome.epochs}" if outcome.epoch else "",
            f"{outcome.seconds:.1f}",
            *(shown(trial.values[path]) if path in trial.values else "" for path in parameters),
            textwrap.shorten(outcome.failure, _WORDS, placeholder=" ..."),  # the whole of it is in `trials.csv`
        ]
        for trial, outcome in ranked
    ]
    columns = [">Trial", "State", f">{monitor}", ">Epoch", ">Seconds", *parameters, ""]
    print_table("Trials", columns, rows)


def shown(value: object) -> str:
    """A value of a parameter, for people."""
    return f"{value:.4g}" if isinstance(value, float) else _cell(value)
