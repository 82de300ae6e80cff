"""`rmldnn check`: what is wrong with a run before it begins, and changes of its file that mend it."""

from __future__ import annotations

import gc
import json
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rmldnn.config import spec
from rmldnn.config.mending import Patch, mend, patch
from rmldnn.config.reader import read_text
from rmldnn.disk import replacing
from rmldnn.errors import COMMAND_LINE, ConfigError, Problem
from rmldnn.output.places import writing
from rmldnn.verbs import add_configuration, configuration, parser, sweeping

if TYPE_CHECKING:
    from rmldnn.checking import Report

DESCRIPTION = """\
Tries a run without computing: the file, the network against the data, the loss against last layer and targets,
places to read from and to write to, the checkpoint, and the memory of a step. Tells everything that is wrong, with a
change of the file where it is near at hand. Writes nothing, and needs no GPU.

  rmldnn check config.json                        ... and exits with 2 (configuration) or 3 (data) if something is
  rmldnn check config.json --fix                  makes the changes that are safe, and checks again
  rmldnn check config.json --procs 8              memory of each of 8 processes
  rmldnn check config.json -m optimizer=adam,sgd  what a sweep would try
  rmldnn check config.json --json                 for programs"""


def main(arguments: Sequence[str]) -> int:
    """Checks, mends if asked for, and tells; returns the exit code."""
    options = parser("check", "[options] CONFIG [KEY=VALUE ...]", DESCRIPTION)
    add_configuration(options)
    options.add_argument("--fix", action="store_true", help="change the file where that is safe")
    options.add_argument("--procs", type=int, default=1, metavar="N", help="of so many processes (1)")
    sweeping.add_options(options)
    options.add_argument("--json", action="store_true", help="for programs instead of for people")
    given = options.parse_intermixed_args(sweeping.in_our_words(arguments, "check"))
    sweeping.require_multirun(given)
    if given.procs < 1:
        raise ConfigError(Problem("--procs", f"must be a positive integer, got {given.procs}", COMMAND_LINE))
    collects = gc.isenabled()
    gc.disable()  # while torch is imported and used for a second, passes over its objects are a fifth of the time
    try:
        return _check(given)
    finally:
        if collects:
            gc.enable()


def _check(given: Namespace) -> int:
    path, changes = configuration(given.words)
    file = spec.file_of(path) if path is not None else None
    text = _text(file)
    made: list[Patch] = []
    if given.fix and file is not None:
        text, made = mend(text, str(file), _judge(str(file), given))
        if made:
            _write(file, text)
    report: Report | None = None
    problems: list[Problem] = []
    try:
        loaded = spec.load(file, task=given.app, lenient=given.lenient, changes=changes)
        report = _report(loaded, changes, path, given)
        problems = report.problems
    except ConfigError as error:
        problems = error.problems
    found = [(problem, patch(problem, text, str(file))) for problem in problems]
    if given.json:
        _print_json(found, report, made)
    else:
        wanted = found and file is not None and not given.fix
        mends = mend(text, str(file), _judge(str(file), given))[1] if wanted else []
        _print(found, report, made, len(mends))
    return report.exit_code if report is not None else ConfigError.exit_code


def _report(loaded: spec.Spec, changes: Sequence[str], path: str | None, given: Namespace) -> Report:
    """What is found of a run, or of a sweep: by `-m`, and where the file has parameters of one."""
    from rmldnn.checking import check  # torch and Hydra, which a faulty file does without
    from rmldnn.sweeps import space
    from rmldnn.sweeps.trying import tried

    def swept() -> Report:
        wanted = space.read(loaded, changes)
        return tried(loaded, wanted, sweeping.folder(given, path), lenient=given.lenient, world=given.procs)

    if given.multirun:
        return swept()
    report = check(loaded, changes, lenient=given.lenient, world=given.procs)
    with report.part():
        if space.has_parameters(loaded, changes):
            found = swept()
            report.swept = found.swept
            report.problems += [problem for problem in found.problems if problem not in report.problems]
    return report


def _text(file: Path | None) -> str:
    """The file as it is, with its ends of lines; empty if it cannot be read, which is told later."""
    try:
        return "" if file is None else file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _judge(name: str, given: Namespace) -> Callable[[str], Sequence[Problem]]:
    def judge(text: str) -> Sequence[Problem]:
        try:
            spec.judged(read_text(text.removeprefix("\ufeff"), name), task=given.app, lenient=given.lenient)
        except ConfigError as error:
            return error.problems
        return []

    return judge


def _write(file: Path, text: str) -> None:
    target = file.resolve()  # a link stays one
    mode = target.stat().st_mode
    with writing(str(file), key="--fix"), replacing(target) as partial:
        partial.write_bytes(text.encode("utf-8"))
    target.chmod(mode)


def _print(
    found: Sequence[tuple[Problem, Patch | None]], report: Report | None, made: Sequence[Patch], mends: int
) -> None:
    for change in made:
        print(f"Changed {change.problem.place}:\n{_indented(change.diff)}")
    for warning in report.warnings if report is not None else ():
        print(f"Warning: {warning}", file=sys.stderr)
    for problem, suggested in found:
        print(f"rmldnn: error: {problem}", file=sys.stderr)
        if suggested is not None:
            print(_indented(suggested.diff), file=sys.stderr)
    for fault in report.faults if report is not None else ():
        print(f"rmldnn: error: {fault}", file=sys.stderr)
    if report is not None and report.network is not None:
        from rmldnn.output.tables import print_table

        print_table("", ["", ""], _rows(report))
    count = len(found) + (len(report.faults) if report is not None else 0)
    remedy = f"; --fix makes the change{'s' if mends > 1 else ''} that {'are' if mends > 1 else 'is'} safe ({mends})"
    told = f"{count} problem{'s' if count > 1 else ''}{remedy if mends else ''}" if count else "No problems"
    print(f"rmldnn: {told}" if count else told, file=sys.stderr if count else sys.stdout)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _rows(report: Report) -> list[tuple[str, str]]:
    """What the run will be, for people."""
    from rmldnn.output.tables import bytes_

    facts = _facts(report)
    words = {"train": "Training samples", "test": "Test samples"}
    each = f", at most {-(-report.batch // report.world):,} for each process" if report.world > 1 else ""
    rows = [
        ("Network", facts["network"]),
        ("Parameters", f"{facts['parameters']:,}, of which {facts['trainable']:,} learn"),
        *((words[which], _counted(count, report.looked_at.get(which))) for which, count in report.samples.items()),
        ("Batch", f"{report.batch:,}{each}" if report.batch else "found out by the run"),
    ]
    rows += [("Swept by -m", ", ".join(report.swept))] if report.swept else []
    if report.memory is None:
        return [*rows, ("Memory", "unknown")]
    parts = [f"{name} {bytes_(size)}" for name, size in asdict(report.memory).items() if size]
    whose = " for each process" if report.world > 1 else ""
    return [*rows, ("Memory", f"about {bytes_(report.memory.total)}{whose}: {', '.join(parts)}")]


def _counted(samples: int, looked_at: int | None) -> str:
    return f"{samples:,}, of which {looked_at:,} were looked at" if looked_at else f"{samples:,}"


def _facts(report: Report) -> dict[str, Any]:
    parameters = list(report.network.parameters()) if report.network is not None else []
    return {
        "network": report.network.title if report.network is not None else None,
        "parameters": sum(parameter.numel() for parameter in parameters),
        "trainable": sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        "samples": report.samples,
        "looked_at": report.looked_at,
        "batch_size": report.batch or None,
        "processes": report.world,
        "swept": list(report.swept),
        "bytes": None if report.memory is None else {**asdict(report.memory), "total": report.memory.total},
    }


def _print_json(found: Sequence[tuple[Problem, Patch | None]], report: Report | None, made: Sequence[Patch]) -> None:
    told = {
        "problems": [_told(problem, change) for problem, change in found],
        "data_faults": report.faults if report is not None else [],
        "warnings": report.warnings if report is not None else [],
        "changed": [_told(change.problem, change) for change in made],
        "run": _facts(report) if report is not None and report.network is not None else None,
    }
    print(json.dumps(told, indent=2))


def _told(problem: Problem, change: Patch | None) -> Mapping[str, Any]:
    return {
        "place": problem.place,
        "path": problem.path,
        "message": problem.message,
        "patch": None
        if change is None
        else {"line": change.line, "old": change.old, "new": change.new, "safe": change.safe},
    }
