"""Two processes, one of which is told to leave."""

import json
import signal
from pathlib import Path

import pytest
import torch
from test_parallel import finish, srun

from rmldnn.engine.agreement import Agreement, Unsaved
from rmldnn.engine.leaving import Leave
from rmldnn.engine.local import LocalEngine
from rmldnn.errors import StoppedError
from rmldnn.steps import EvalEnd, EvalStep

SCRIPT = Path(__file__).parent / "agreement_run.py"
NOTHING = [0, False]


@pytest.fixture
def alone():
    """One process, and what tells it to leave."""
    return LocalEngine(torch.device("cpu")), Leave()


def test_one_process_hears_itself_at_once(alone):
    agreement = Agreement(*alone)
    assert agreement.heard(True) == (0, True)
    alone[1].signal = signal.SIGTERM
    assert agreement.heard(False) == (signal.SIGTERM, False)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("step", [EvalStep(1, 1, 1, 2, 1), EvalEnd(1, 1, 0.0)], ids=["step", "end"])
def test_one_process_that_evaluates_leaves_when_it_is_told_and_not_before(alone, apart, step):
    unsaved = Unsaved(*alone, apart=apart)
    unsaved.consume(step)
    alone[1].signal = signal.SIGUSR1
    with pytest.raises(StoppedError, match="stopped by SIGUSR1"):
        unsaved.consume(step)


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    """What both processes heard, by what happened."""
    folder = tmp_path_factory.mktemp("agreement")
    ended = finish(srun(folder, 2, script=SCRIPT))
    assert [code for code, _, _ in ended] == [0, 0], ended
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("says", [NOTHING, NOTHING]),
        ("told", [NOTHING, NOTHING, NOTHING, [signal.SIGUSR1, False]]),
        ("finds", [NOTHING, NOTHING, [0, True], NOTHING, NOTHING, NOTHING]),
        ("now", [NOTHING, [signal.SIGTERM, True], False]),
        ("apart", ["done", True]),
        ("told while the other waits at the end", ["stopped", 128 + signal.SIGTERM, True]),
        ("told while it is ahead", ["stopped", 128 + signal.SIGTERM, True]),
    ],
)
def test_both_hear_the_same(heard, case, expected):
    assert [one[case] for one in heard] == [expected, expected]
