"""Hydra's launchers and sweepers on the command line of a sweep, in the words of this tool.

Their own code is not used: a batch of theirs returns when all of its trials are over, so that none could be pruned,
learn from the one before, or go on after a kill.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from rmldnn.component import near_miss, show
from rmldnn.config import overrides
from rmldnn.errors import COMMAND_LINE, ConfigError, Problem

Words = list[str]
_ASKED = re.compile(r"\+{0,2}hydra[./](launcher|sweeper|sweep)(?:[./](.+?))?=(.*)", re.DOTALL)
_MULTIRUN = ("-m", "--multirun")
_SLURM = "submitit_slurm"
_JOBS = 8
"""Jobs of an array, each of which takes one trial after the other."""


@dataclass(frozen=True)
class _Key:
    """A key of a launcher or a sweeper.

    Args:
        ours: Makes our words of its value.
        least: The least whole number that it takes; None of one that takes texts.
        only: The only number that it takes.
        all: Whether -1 stands for as many as there are.
    """

    ours: Callable[[Any], Words]
    least: int | None = None
    only: int | None = None
    all: bool = False

    def wrong(self, value: Any) -> str:
        """What is wrong with a value; empty if nothing is."""
        if self.least is None or (self.all and value == -1):
            return ""
        if self.only is not None and value != self.only:
            return f"must be {self.only}, got {show(value)}; a sweep's job is one process on one machine"
        if isinstance(value, int) and not isinstance(value, bool) and value >= self.least:
            return ""
        return f"must be a whole number of at least {self.least}{', or -1' if self.all else ''}, got {show(value)}"


def _said(word: str) -> Callable[[Any], Words]:
    return lambda value: [f"{word}={value}"]


def _line(word: str) -> Callable[[Any], Words]:
    """A line of a script, in which a value with blanks has quotes."""
    return lambda value: [f"{word}={shlex.quote(str(value))}"]


def _workers(value: Any) -> Words:
    return [f"--workers={'auto' if value == -1 else value}"]


_N_JOBS = _Key(_workers, 1, all=True)
_SUBMIT = {
    "timeout_min": _Key(_said("--time"), 5),
    "nodes": _Key(_said("--nodes"), 1, 1),
    "tasks_per_node": _Key(_said("--procs-per-node"), 1, 1),
    "gpus_per_node": _Key(_said("--gpus-per-node"), 0),
    "cpus_per_task": _Key(_said("--cpus-per-proc"), 1),
    "partition": _Key(_said("--partition")),
    "account": _Key(_said("--account")),
}
"""Words of `rmldnn submit`."""
_SBATCH = {
    "array_parallelism": _Key(lambda value: [f"--array=1-{value}"], 1),
    "mem_gb": _Key(lambda value: [f"--mem={value}G"], 1),
    "name": _Key(_line("--job-name")),
    "gpus_per_task": _Key(_line("--gpus-per-task"), 1),
    "cpus_per_gpu": _Key(_line("--cpus-per-gpu"), 1),
    **{
        key: _Key(_line(f"--{key.replace('_', '-')}"))
        for key in ("qos", "comment", "constraint", "exclude", "gres", "mem_per_gpu", "mem_per_cpu")
    },
}
"""Words of sbatch."""
_KNOWN: Mapping[str, Mapping[str, Mapping[str, _Key]]] = {
    "launcher": {"basic": {}, "joblib": {"n_jobs": _N_JOBS}, _SLURM: {**_SUBMIT, **_SBATCH}},
    "sweeper": {
        "optuna": {
            "n_trials": _Key(_said("sweep.num_trials"), 1),
            "n_jobs": _N_JOBS,
            "sampler": _Key(_said("sweep.sampler")),
            "sampler.n_startup_trials": _Key(_said("sweep.num_startup_trials"), 0),
        },
        "basic": {},
    },
    "sweep": {"multirun": {"dir": _Key(_said("--sweep-folder"))}},
}
_NAMES = {"submitit_local": "joblib", "submitit": _SLURM, "slurm": _SLURM}
"""What somebody may have meant who asks for others."""
_ELSEWHERE = {
    "direction": "whether less is better follows from sweep.monitor",
    "storage": "trials are remembered in the folder of the sweep, as sweep.storage says",
    "study_name": "a sweep is named by its folder: --sweep-folder",
    "sampler.seed": "trials are drawn by the `seed` of the configuration",
    "setup": "write what a job needs into the script that --print shows",
    "additional_parameters": "write lines for sbatch behind `--`: -- --mail-type=END",
    **dict.fromkeys(
        ("signal_delay_s", "max_num_timeout", "submitit_folder", "stderr_to_stdout"),
        "jobs save their states when their time is over, go on by themselves, and write one log",
    ),
    "subdir": "trials are in `trials/<number>` of the sweep's folder",
}


@dataclass
class Multirun:
    """A command line, understood.

    Args:
        rest: What is not said in Hydra's words.
        sweep: Settings of the sweep.
        workers: How many trials run at once.
        submit: What `rmldnn submit` is told; None if the sweep runs here.
        lines: What sbatch is told.
    """

    rest: Words
    sweep: Words = field(default_factory=list)
    workers: Words = field(default_factory=list)
    submit: Words | None = None
    lines: Words = field(default_factory=list)

    @property
    def words(self) -> Words:
        """The whole in our words, the user's own last, as the last one counts."""
        cut = self.rest.index("--") if "--" in self.rest else len(self.rest)
        behind = [*self.lines, *self.rest[cut + 1 :]]
        ours = [*(self.submit or []), *self.sweep, *self.workers]
        return [*ours, *self.rest[:cut], *(["--", *behind] if behind else [])]


def understood(arguments: Sequence[str]) -> Multirun:
    """Takes Hydra's words of how trials are run and chosen out of the command line of a sweep.

    `hydra/launcher=joblib hydra.launcher.n_jobs=4` is `--workers=4`, `hydra/launcher=submitit_slurm` is
    `rmldnn submit` with an array of jobs, `hydra/sweeper=optuna hydra.sweeper.n_trials=50` is `sweep.num_trials=50`.

    Args:
        arguments: What stands behind `rmldnn`, or behind a verb. Of a single run all of it is left as it is.

    Raises:
        ConfigError: With every word that has no meaning here.
    """
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    asked: dict[str, dict[str, str]] = {kind: {} for kind in _KNOWN}
    made = Multirun([])
    for word in arguments[:cut]:
        if found := _ASKED.fullmatch(word):
            asked[found[1]][(found[2] or "").replace("/", ".")] = found[3]
        else:
            made.rest.append(word)
    if not any(asked.values()) or not set(_MULTIRUN) & set(made.rest):
        return Multirun(list(arguments))
    made.rest += arguments[cut:]
    problems: list[Problem] = []
    launcher, jobs = _values("launcher", "basic", asked["launcher"], problems)
    sweeper, chosen = _values("sweeper", "optuna", asked["sweeper"], problems)
    _, folder = _values("sweep", "multirun", asked["sweep"], problems)
    if problems:
        raise ConfigError(problems)
    made.sweep = ["sweep.sampler=grid"] if sweeper == "basic" else []
    at_once = chosen.pop("n_jobs", None)
    made.sweep += _ours("sweeper", sweeper, chosen) + _ours("sweep", "multirun", folder)
    if launcher == _SLURM:
        lines = {
            "array_parallelism": _JOBS if at_once in (None, -1) else at_once,
            **{key: jobs.pop(key) for key in _SBATCH if key in jobs},
        }
        made.submit = ["--time=60", "sweep.storage=journal", *_ours("launcher", launcher, jobs)]
        made.lines = _ours("launcher", launcher, lines)
        mine = any(word.startswith(("--workers", "--procs")) for word in made.rest)
        made.workers = ["--workers=auto"] if jobs.get("gpus_per_node", 0) > 1 and not mine else []
    elif launcher == "joblib":
        made.workers = _workers(jobs.get("n_jobs", at_once or -1))
    elif at_once is not None:
        made.workers = _workers(at_once)
    return made


def _ours(kind: str, name: str, values: Mapping[str, Any]) -> Words:
    return [word for key, value in values.items() for word in _KNOWN[kind][name][key].ours(value)]


def _values(kind: str, name: str, asked: Mapping[str, str], problems: list[Problem]) -> tuple[str, dict[str, Any]]:
    """The name of a launcher or sweeper and the values of its keys, without those that are null; adds what is wrong."""
    known = _KNOWN[kind]
    values: dict[str, Any] = {}
    takes = {"", *chain.from_iterable(known.values())}
    told = len(problems)
    for key, text in asked.items():
        path = f"hydra.{kind}.{key}" if key else f"hydra/{kind}"
        try:
            (value,) = overrides.values([f"x={text}"]).values()
        except ConfigError:
            problems.append(Problem(path, f"cannot read `{text}`", COMMAND_LINE))
            continue
        if "${" in text:
            problems.append(Problem(path, f"`{text}` asks for something else; write what it stands for", COMMAND_LINE))
        elif key in takes and not isinstance(value, str | int | float | None):
            problems.append(Problem(path, f"takes one word or number, got `{text}`", COMMAND_LINE))
        elif value is not None:
            values[key] = value
    name = str(values.pop("", name))
    if name not in known:
        meant = f"; did you mean `{_NAMES[name]}`?" if name in _NAMES else near_miss(name, known)
        problems.append(Problem(f"hydra/{kind}", f"there is no `{name}` here{meant}", COMMAND_LINE))
    for key, value in values.items() if len(problems) == told else ():
        if key in known[name]:
            message = known[name][key].wrong(value)
        else:
            message = f"has no meaning {'here' if kind == 'sweep' else f'with `{name}`'}{_remedy(kind, name, key)}"
        if message:
            problems.append(Problem(f"hydra.{kind}.{key}", message, COMMAND_LINE))
    return name, values


def _remedy(kind: str, name: str, key: str) -> str:
    """What to say instead of a key that is not known."""
    if key.startswith("params."):
        return f"; name the parameter itself: {key.removeprefix('params.')}=..."
    for word, remedy in _ELSEWHERE.items():
        if re.fullmatch(rf"{re.escape(word)}([.\[].*)?", key):
            return f"; {remedy}"
    other = next((other for other, keys in _KNOWN[kind].items() if key in keys), None)
    return f"; add hydra/{kind}={other}" if other else near_miss(key, _KNOWN[kind][name])
