"""One of two processes that leave together; writes what it heard of the other as JSON."""

import json
import signal
import sys
import time
from pathlib import Path

from rmldnn.engine.agreement import Agreement, Unsaved
from rmldnn.engine.interface import open_engine
from rmldnn.engine.leaving import Leave
from rmldnn.errors import StoppedError
from rmldnn.steps import EvalEnd, EvalStep


def says(engine, folder):
    """Who says something goes on before the other has come to the same place."""
    agreement, file = Agreement(engine, Leave()), folder / "gone_on"
    while engine.rank == 1 and not file.exists():
        time.sleep(0.01)
    heard = [agreement.heard(False)]
    file.touch()
    return [*heard, agreement.heard(False, now=True)]


def told(engine, folder):
    """Process 1 is told to leave before its third step."""
    leave = Leave()
    agreement = Agreement(engine, leave)
    heard = []
    for step in range(4):
        leave.signal = signal.SIGUSR1 if (engine.rank, step) == (1, 2) else leave.signal
        heard.append(agreement.heard(False))
    return heard


def finds(engine, folder):
    """A fact holds for process 0 in the second step alone."""
    agreement = Agreement(engine, Leave())
    return [agreement.heard((engine.rank, step) == (0, 1), now=step == 5) for step in range(6)]


def now(engine, folder):
    """Process 0 is told to leave before the last step, behind which nothing is pending."""
    leave = Leave()
    agreement = Agreement(engine, leave)
    heard = [agreement.heard(False)]
    leave.signal = signal.SIGTERM if engine.rank == 0 else 0
    return [*heard, agreement.heard(True, now=True), agreement.pending]


def apart(engine, folder, steps=(3, 40), tells=None, at=0):
    """What becomes of processes that take steps of their own: how far they come, and whether they leave."""
    leave = Leave()
    unsaved, done = Unsaved(engine, leave, apart=True), 0
    try:
        for done in range(steps[engine.rank]):
            leave.signal = signal.SIGTERM if (engine.rank, done) == (tells, at) else leave.signal
            unsaved.consume(EvalStep(1, 1, done + 1, steps[engine.rank], 1))
            time.sleep(0.005 * engine.rank)
        (folder / f"{steps}_{engine.rank}").touch()
        unsaved.consume(EvalEnd(1, 1, 0.0))
    except StoppedError as error:
        return ["stopped", error.exit_code, done < 1000]
    return ["done", all((folder / f"{steps}_{rank}").exists() for rank in range(2))]


CASES = {
    "says": says,
    "told": told,
    "finds": finds,
    "now": now,
    "apart": apart,
    "told while the other waits at the end": lambda *run: apart(*run, steps=(3, 10**6), tells=1, at=20),
    "told while it is ahead": lambda *run: apart(*run, steps=(10**6, 10**6), tells=0, at=20),
}


if __name__ == "__main__":
    with open_engine(timeout=60) as engine:
        folder = Path(sys.argv[1])
        seen = {name: case(engine, folder) for name, case in CASES.items()}
        (folder / f"{engine.rank}.json").write_text(json.dumps(seen))
