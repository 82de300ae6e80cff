"""What `rmldnn check` finds of a sweep's trials, before the first of them starts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rmldnn.config.domains import Choices
from rmldnn.config.keys import Values
from rmldnn.config.spec import Spec
from rmldnn.errors import COMMAND_LINE, Problem
from rmldnn.sweeps.running import places
from rmldnn.sweeps.settings import sweep
from rmldnn.sweeps.space import Wanted, assigned
from rmldnn.sweeps.trial import Trial

if TYPE_CHECKING:
    from rmldnn.checking import Report

_TELLING = re.compile(
    r"(layers|network|loss|task)([.\[].*)?|semantics|preset|checkpoints\.load|data(?!\.(test_batch_size|batch_size|num_)).*"
)
"""Parameters of which each value is tried: networks, losses and data. By the others a check finds nothing new."""


def tried(spec: Spec, wanted: Wanted, folder: Path, *, lenient: bool = False, world: int = 1) -> Report:
    """Tries the parts of the first trial, and all networks that the sweep names; computes nothing.

    Args:
        spec: The file.
        wanted: The sweep.
        folder: Its folder.
        lenient: Unknown keys of layers are warnings.
        world: Processes of each trial.

    Returns:
        What was found of the first trial, and the faults of the others, in the words of the sweep.
    """
    from rmldnn.checking import check  # torch, which a faulty sweep does without

    monitor = sweep(**wanted.settings).monitor
    ours = places(Trial(0, {}, folder), wanted.base, monitor)
    first, *others = (
        check(spec, [*wanted.changes, *ours, *assigned(probe)], lenient=lenient, world=world)
        for probe in _probes(wanted)
    )
    first.swept = list(wanted.space.domains)
    for report in (first, *others):
        report.problems = _told(report.problems, wanted)
        report.faults = [_placed(fault, wanted) for fault in report.faults]
    for other in others:
        first.problems += [problem for problem in other.problems if problem not in first.problems]
        first.faults += [fault for fault in other.faults if fault not in first.faults]
    return first


def _probes(wanted: Wanted) -> Iterator[Values]:
    first = next(wanted.space.probes())
    yield first
    for path, item in wanted.space.domains.items():
        if _TELLING.fullmatch(path):
            values = item.values if isinstance(item, Choices) else item.probes
            yield from ({**first, path: value} for value in values[1:])


def _told(problems: Sequence[Problem], wanted: Wanted) -> list[Problem]:
    told = [wanted.faults.explained(problem, wanted.space.domains) for problem in problems]
    return list({problem.path if problem.path.startswith("--") else str(problem): problem for problem in told}.values())


def _placed(fault: str, wanted: Wanted) -> str:
    """A fault of the data with its place, which is not the command line if the file names the value."""
    path, colon, message = fault.removeprefix(f"{COMMAND_LINE}: ").partition(": ")
    if not colon or path not in wanted.space.domains or not fault.startswith(COMMAND_LINE):
        return fault
    return str(wanted.faults.explained(Problem(path, message), wanted.space.domains))
