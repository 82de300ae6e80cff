"""Starts a sweep: what `rmldnn config.json -m` does."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rmldnn.engine import cores
from rmldnn.engine.ranks import Ranks, surroundings
from rmldnn.errors import COMMAND_LINE, ConfigError, DataError, LaunchError, Problem, RmldnnError
from rmldnn.output.run_folder import STATES
from rmldnn.verbs import plugged

if TYPE_CHECKING:
    from rmldnn.config.spec import Spec
    from rmldnn.sweeps.space import Wanted

SWEEPS = Path("sweeps")
AUTO = "auto"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Gives a command line what a sweep is asked for by."""
    parser.add_argument(
        "-m",
        "--multirun",
        action="store_true",
        help="a sweep: run with the values of `sweep` and of optimizer=adam,sgd",
    )
    parser.add_argument(
        "--sweep-folder", metavar="DIR", help="folder of a sweep, which goes on if it is there (sweeps/NAME)"
    )


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Gives a command line the number of trials that run at once."""
    parser.add_argument("--workers", metavar="N", help="trials of a sweep at once (1); auto: one for each GPU, or core")


def in_our_words(arguments: Sequence[str], verb: str = "") -> list[str]:
    """A command line without Hydra's words of launchers and sweepers.

    Args:
        arguments: What stands behind `rmldnn`, or behind a verb.
        verb: The verb; without one the result begins with `submit` if the launcher is one of SLURM.

    Raises:
        ConfigError: Such words have no meaning here.
    """
    if not any("hydra" in word for word in arguments):
        return list(arguments)
    from rmldnn.sweeps.multirun import understood

    asked = understood(arguments)
    if verb == "check":
        return [*asked.sweep, *asked.rest]
    return asked.words if verb or asked.submit is None else ["submit", *asked.words]


def require_multirun(given: argparse.Namespace, only: Sequence[str] = ()) -> None:
    """Refuses options of a sweep where there is none.

    Args:
        given: The command line.
        only: Further options that are for sweeps with this command.

    Raises:
        ConfigError: There are such.
    """
    for option in () if given.multirun else ("--sweep-folder", "--workers", *only):
        if getattr(given, option.lstrip("-").replace("-", "_"), None) is not None:
            message = "is for sweeps, and this is a single run; add -m, or leave it out"
            raise ConfigError(Problem(option, message, COMMAND_LINE))


def require_numbers(given: argparse.Namespace) -> None:
    """Refuses numbers of workers and processes that are none, before anything else.

    Raises:
        ConfigError: There are such.
    """
    for option, text in (("--workers", given.workers), ("--procs", given.procs)):
        if text is not None and text != AUTO and (not text.isdecimal() or int(text) < 1):
            message = f"must be a positive integer or `{AUTO}`, got `{text}`"
            raise ConfigError(Problem(option, message, COMMAND_LINE))


def folder(given: argparse.Namespace, file: str | None) -> Path:
    """The folder of a sweep."""
    return Path(given.sweep_folder) if given.sweep_folder else SWEEPS / Path(file or "rmldnn").stem


def progress(folder: Path) -> str:
    """A command of the shell whose output is another one when a sweep has come further."""
    place = shlex.quote(str(folder))
    return f"cat {place}/trials.csv 2>/dev/null; ls {place}/trials/*/{STATES} 2>/dev/null"


def sweep(options: argparse.Namespace, load: Callable[[], Spec]) -> int:
    """Runs a sweep, or goes on with it; the exit code.

    Args:
        options: The command line.
        load: Reads and checks the configuration.

    Raises:
        RmldnnError: Whatever a user can mend.
    """
    if Ranks.from_environment().world > 1:
        raise LaunchError("a launcher has started several processes; a sweep starts its own: --workers, --procs")
    require_numbers(options)
    spec = load()
    from rmldnn.sweeps import space

    wanted = space.read(spec, options.overrides)
    return _run(options, spec, wanted)


def _run(options: argparse.Namespace, spec: Spec, wanted: Wanted) -> int:
    from rmldnn.config import translate
    from rmldnn.output.records import connect
    from rmldnn.sweeps import identity, plots, report, settings
    from rmldnn.sweeps.driver import Plan, described, drive
    from rmldnn.sweeps.space import assigned
    from rmldnn.sweeps.study import Study, required
    from rmldnn.sweeps.trial import Outcome, Trial
    from rmldnn.sweeps.trying import tried

    chosen = settings.sweep(**wanted.settings)
    place = folder(options, options.file)
    required(chosen)
    world = int(options.procs) if (options.procs or "").isdecimal() else 1
    workers, devices = _workers(options.workers, world)
    names = {*identity.named(identity.NETWORKS, wanted.space, wanted.base), *_files(spec, wanted.changes)}
    read = identity.contents(names)
    found = tried(spec, wanted, place, lenient=options.lenient, world=world)
    if found.problems:
        raise ConfigError(found.problems)
    if found.faults:
        raise DataError("; ".join(found.faults))
    study = Study(place, chosen, wanted.space, wanted.base, retry=not options.resume)
    monitor = chosen.monitor

    command = _command(options, wanted.changes)
    changed = partial(identity.changed, read)
    plan = Plan(command, wanted.base, monitor, workers, devices, surroundings(), world, changed)

    def written() -> None:
        with study.alone():
            report.write_table(place, study.trials())
        with study.alone(report.BEST):  # checkpoints may be large, and others need not wait for their copies
            top = report.best(study.trials(), minimize=chosen.minimize)
            told = report.about(*top, monitor, study.identity) if top is not None else {}
            if top is not None and report.kept(place) != told:
                config = translate.compose(spec, [*wanted.changes, *assigned(top[0].values)]).values
                report.keep(place, top[0], told, config)

    def ended(trial: Trial, outcome: Outcome) -> None:
        print(described(trial, outcome, monitor), flush=True)
        written()

    disconnect = connect(lambda line: print(line, flush=True))
    try:
        done = f"{len(study.trials())} of them done"
        done += f", of which {study.again} failed and will be tried once more" if study.again else ""
        done += f", {study.given_up} failed three times and not tried again" if study.given_up else ""
        print(f"Sweep of {study.total} trial{'s' if study.total > 1 else ''}, {done}: {place}", flush=True)
        drive(study, plan, ended)
        written()
        trials = study.trials()
        report.print_trials(trials, monitor, minimize=chosen.minimize)
        drawn = plots.draw(study, monitor)
    finally:
        disconnect()
    top = report.best(trials, minimize=chosen.minimize)
    others = study.others()
    if others:
        print(f"Other workers still run {others} of the trials")
    if top is None and others:
        return 0
    if top is None:
        raise RmldnnError(f"no trial of the sweep was completed; see `{place / report.TABLE}`")
    print(f"Best: trial {top[0].number}; its configuration and network: {place / report.BEST}")
    print(f"All trials: {place / report.TABLE}" + (f"; plots: {drawn[0].parent}" if drawn else ""))
    return 0


def _files(spec: Spec, changes: Sequence[str]) -> set[str]:
    """The configuration file, and those of the user's own groups, which each trial reads as it starts."""
    from rmldnn.config import overrides

    document = spec.document
    listed = (place.rpartition(":")[0] for place in document.elsewhere.values())
    chosen = (named.place for named in overrides.parse(changes, Path(document.name).parent).named)
    return {name for name in (document.name, *listed, *chosen) if Path(name).is_file()}


def _command(options: argparse.Namespace, changes: Sequence[str]) -> list[str]:
    """The command line of each trial, behind `rmldnn`."""
    modules, _ = plugged(options.words)
    words = [*([options.file] if options.file else []), *modules, *changes, "--log=plain"]
    words += [f"--app={options.app}"] if options.app else []
    words += ["--lenient"] if options.lenient else []
    words += [f"--procs={options.procs}"] if options.procs else []
    return [*words, f"--timeout={options.timeout:g}"]


def _workers(text: str | None, procs: int) -> tuple[int, list[str]]:
    """How many trials of so many processes run at once, and the GPUs that they share out."""
    text = text or "1"
    if text == "1":
        return 1, []
    given = surroundings().get("CUDA_VISIBLE_DEVICES")
    if given is None:
        import torch  # which alone knows how many there are

        devices = [str(index) for index in range(torch.cuda.device_count())]
    else:
        devices = [name for name in given.split(",") if name]
    return (len(devices) or max(1, cores.worth() // procs) if text == AUTO else int(text)), devices
