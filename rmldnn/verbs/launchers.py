"""Hydra's launchers and sweepers on the command line of a sweep, in the words of this tool.

Their own code is not used: a batch of theirs returns when all of its trials are over, so that none could be pruned,
learn from the one before, or go on after a kill.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from rmldnn.component import near_miss
from rmldnn.errors import COMMAND_LINE, ConfigError, Problem

Words = list[str]
Keys = Mapping[str, Callable[[str], Words]]
"""What each key of a launcher or sweeper is here."""

_ASKED = re.compile(r"\+{0,2}hydra[./](launcher|sweeper|sweep)(?:[./]([\w./]+))?=(.*)", re.DOTALL)
_MULTIRUN = ("-m", "--multirun")
_JOBS = "8"
"""Jobs of an array, each of which takes one trial after the other."""


def _said(word: str) -> Callable[[str], Words]:
    return lambda value: [f"{word}={value}"]


def _workers(value: str) -> Words:
    return [f"--workers={'auto' if value == '-1' else value}"]


def _gpus(value: str) -> Words:
    return [f"--gpus-per-node={value}", *([] if value in ("0", "1") else ["--workers=auto"])]


_ALIKE = [
    "qos",
    "comment",
    "constraint",
    "exclude",
    "gres",
    "cpus_per_gpu",
    "gpus_per_task",
    "mem_per_gpu",
    "mem_per_cpu",
]
"""What sbatch calls the same."""
_SBATCH: Keys = {
    "array_parallelism": lambda value: [f"--array=1-{value}"],
    "mem_gb": lambda value: [f"--mem={value}G"],
    "name": _said("--job-name"),
    **{key: _said(f"--{key.replace('_', '-')}") for key in _ALIKE},
}
_SUBMIT: Keys = {
    "timeout_min": _said("--time"),
    "nodes": _said("--nodes"),
    "tasks_per_node": _said("--procs-per-node"),
    "gpus_per_node": _gpus,
    "cpus_per_task": _said("--cpus-per-proc"),
    "partition": _said("--partition"),
    "account": _said("--account"),
}
_SLURM = "submitit_slurm"
_LAUNCHERS: Mapping[str, Keys] = {"basic": {}, "joblib": {"n_jobs": _workers}, _SLURM: {**_SUBMIT, **_SBATCH}}
_SWEEPERS: Mapping[str, Keys] = {
    "optuna": {"n_trials": _said("sweep.num_trials"), "n_jobs": _workers, "sampler": _said("sweep.sampler")},
    "basic": {},
}
_ELSEWHERE = {
    "direction": "whether less is better follows from sweep.monitor",
    "storage": "trials are remembered in the folder of the sweep, as sweep.storage says",
    "study_name": "a sweep is named by its folder: --sweep-folder",
    "params": "name the parameters themselves: optimizer.learning_rate=1e-3,1e-2",
    "setup": "write what a job needs into the script that `rmldnn submit ... --print` shows",
}


def understood(arguments: Sequence[str]) -> Words:
    """The command line of a sweep without Hydra's words of how trials are run and chosen.

    `hydra/launcher=joblib hydra.launcher.n_jobs=4` is `--workers=4`, `hydra/launcher=submitit_slurm` is
    `rmldnn submit` with an array of jobs, `hydra/sweeper=optuna hydra.sweeper.n_trials=50` is `sweep.num_trials=50`.
    What the command line says in our words besides counts more.

    Args:
        arguments: What stands behind `rmldnn`. Of a single run they are left as they are.

    Raises:
        ConfigError: With every word that has no meaning here.
    """
    asked: dict[str, dict[str, str]] = {"launcher": {}, "sweeper": {}, "sweep": {}}
    rest: Words = []
    for word in arguments:
        if found := _ASKED.fullmatch(word):
            asked[found[1]][found[2] or ""] = found[3]
        else:
            rest.append(word)
    if not any(asked.values()) or not set(_MULTIRUN) & set(rest):
        return list(arguments)
    problems: list[Problem] = []
    launcher = asked["launcher"].pop("", "basic")
    sweeper = asked["sweeper"].pop("", "optuna")
    jobs = {key: asked["launcher"].pop(key) for key in _SBATCH if launcher == _SLURM and key in asked["launcher"]}
    made = _translated("launcher", launcher, _LAUNCHERS, asked["launcher"], problems)
    made += _translated("sweeper", sweeper, _SWEEPERS, asked["sweeper"], problems)
    made += _translated("sweep", "multirun", {"multirun": {"dir": _said("--sweep-folder")}}, asked["sweep"], problems)
    if problems:
        raise ConfigError(problems)
    if sweeper == "basic":
        made.append("sweep.sampler=grid")
    if launcher != _SLURM:
        return [*made, *rest]
    lines = [line for key, value in {"array_parallelism": _JOBS, **jobs}.items() for line in _SBATCH[key](value)]
    return ["submit", "--time=60", "sweep.storage=journal", *made, *rest, "--", *lines]


def _translated(
    kind: str, name: str, known: Mapping[str, Keys], asked: Mapping[str, str], problems: list[Problem]
) -> Words:
    """What the keys of one launcher or sweeper are here; adds what is wrong to the problems."""
    if name not in known:
        message = f"there is no `{name}` here{near_miss(name, known)}"
        problems.append(Problem(f"hydra/{kind}", message, COMMAND_LINE))
        return []
    made: Words = []
    for key, value in asked.items():
        if key in known[name]:
            made += known[name][key](value)
            continue
        ours = _ELSEWHERE.get(key.partition(".")[0])
        remedy = f"; {ours}" if ours else near_miss(key, known[name])
        problems.append(Problem(f"hydra.{kind}.{key}", f"has no meaning with `{name}`{remedy}", COMMAND_LINE))
    return made
