"""ZeRO: every process keeps a part, and all of them learn what one would; from any state to any other number."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from test_parallel import finish, start
from zero_run import main

HERE = Path(__file__).parent
SCRIPT = str(HERE / "zero_run.py")
WAYS = {
    "SGD": {},
    "Adam": {"optimizer": "Adam"},
    "LARS": {"optimizer": "LARS"},
    "LAMB": {"optimizer": "LAMB"},
    "Adagrad": {"optimizer": "Adagrad"},
    "accumulated": {"batch_size": 4, "compute": {"accumulate": 2}},
    "clipped": {"compute": {"gradient_clip": 0.5}},
    "averaged": {"compute": {"ema": 0.9}},
}
LONG = {"optimizer": "Adam", "compute": {"ema": 0.9}}

pytestmark = pytest.mark.slow


def run(folder, world, cases):
    """What each case gave."""
    processes = [
        start(
            [sys.executable, SCRIPT, str(folder), json.dumps(cases)],
            SLURM_PROCID=str(rank),
            SLURM_STEP_NUM_TASKS=str(world),
            SLURM_LOCALID=str(rank),
            SLURM_STEP_NUM_NODES="1",
            SLURM_JOB_ID=f"{folder.name}-{world}",
            OMP_NUM_THREADS="1",
        )
        for rank in range(world)
    ]
    ended = finish(processes, timeout=300)
    assert all(code == 0 for code, _, _ in ended), ended
    assert not [line for _, _, err in ended for line in err.splitlines() if "arning" in line]
    return json.loads((folder / f"{world}.json").read_text())


def alone(folder, cases):
    """The same in this process."""
    main(folder, cases)
    return json.loads((folder / "1.json").read_text())


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("zero")


@pytest.fixture(scope="module")
def expected(folder):
    """Every way, and the state after an epoch, of one process without DeepSpeed."""
    first = alone(folder, [{**LONG, "epochs": 1, "save": "one"}])
    del first
    return dict(
        zip([*WAYS, "long"], alone(folder, [*WAYS.values(), {**LONG, "load": "one", "epochs": 1}]), strict=True)
    )


def cases(stage):
    return [{**way, "zero": stage} for way in WAYS.values()]


@pytest.fixture(scope="module", params=[(2, 0), (2, 1), (3, 2), (2, 3)], ids=lambda pair: f"{pair[0]}-zero{pair[1]}")
def many(request, folder, expected):
    """The same of several processes at a stage; besides, a state of theirs, and what they make of that of one."""
    world, stage = request.param
    more = [
        {**LONG, "epochs": 1, "zero": stage, "save": f"{world}-{stage}"},
        {**LONG, "epochs": 1, "zero": stage, "load": "one"},
    ]
    results = run(folder, world, cases(stage) + more)
    return f"{world}-{stage}", dict(zip([*WAYS, "save", "load"], results, strict=True))


@pytest.mark.parametrize("way", WAYS)
def test_losses_and_norms_are_those_of_one_process(expected, many, way):
    _, results = many
    assert np.array(results[way]) == pytest.approx(np.array(expected[way]), rel=1e-4, abs=1e-4)


def test_a_state_of_one_process_goes_on_with_many(expected, many):
    _, results = many
    assert np.array(results["load"]) == pytest.approx(np.array(expected["long"]), rel=1e-4, abs=1e-4)


def test_a_state_of_many_goes_on_with_one_process(folder, expected, many):
    name, _ = many
    (ours,) = alone(folder, [{**LONG, "load": name, "epochs": 1}])
    assert np.array(ours) == pytest.approx(np.array(expected["long"]), rel=1e-4, abs=1e-4)


def test_a_state_does_not_tell_who_made_it(folder, expected, many):
    name, _ = many
    ours, theirs = (torch.load(folder / one, weights_only=True) for one in (name, "one"))
    assert ours["network"].keys() == theirs["network"].keys()
    assert shape(ours["engine"]) == shape(theirs["engine"])


def shape(thing):
    """Everything but the numbers."""
    if isinstance(thing, torch.Tensor):
        return tuple(thing.shape)
    if isinstance(thing, dict):
        return {key: shape(value) for key, value in thing.items()}
    return [shape(one) for one in thing] if isinstance(thing, list | tuple) else type(thing)
