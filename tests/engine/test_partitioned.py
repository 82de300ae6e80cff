"""ZeRO: every process keeps a part, and all of them learn what one would; from any state to any other number."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from test_parallel import finish, start
from zero_run import main

from rmldnn.engine import states
from rmldnn.engine.local import LocalEngine
from rmldnn.engine.partitioned import LossScale

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
    "offloaded": {"offload": "cpu", "optimizer": "Adam"},
    "averaged": {"compute": {"ema": 0.9}},
}
WHOLE = {"Newton": {"optimizer": "Newton", "epochs": 1}}
"""What needs whole tensors; it differentiates batch normalisation twice."""
LONG = {"optimizer": "Adam", "compute": {"ema": 0.9}}

pytestmark = pytest.mark.slow


def run(folder, world, cases, *, quietly=True):
    """What each case gave, and no warning, unless it may be."""
    processes = [
        start(
            [sys.executable, SCRIPT, str(folder), json.dumps(cases)],
            SLURM_PROCID=str(rank),
            SLURM_STEP_NUM_TASKS=str(world),
            SLURM_LOCALID=str(rank),
            SLURM_STEP_NUM_NODES="1",
            SLURM_JOB_ID=f"{folder}-{world}",
            OMP_NUM_THREADS="1",
            MALLOC_PERTURB_="178",  # memory that nobody wrote to is full of large numbers
        )
        for rank in range(world)
    ]
    ended = finish(processes, timeout=300)
    assert all(code == 0 for code, _, _ in ended), ended
    assert not (quietly and [line for _, _, err in ended for line in err.splitlines() if "arning" in line])
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
    ways = {"save": {**LONG, "epochs": 1, "save": "one"}, **WAYS, **WHOLE, "long": {**LONG, "load": "one", "epochs": 1}}
    return dict(zip(ways, alone(folder, list(ways.values())), strict=True))


@pytest.fixture(scope="module", params=[(2, 0), (2, 1), (3, 2), (2, 3)], ids=lambda pair: f"{pair[0]}-zero{pair[1]}")
def many(request, folder, expected):
    """The same of several processes at a stage; besides, a state of theirs, and what they make of that of one."""
    world, stage = request.param
    ways = {
        **WAYS,
        **(WHOLE if stage == 0 else {}),
        "save": {**LONG, "epochs": 1, "save": f"{world}-{stage}"},
        "load": {**LONG, "epochs": 1, "load": "one"},
    }
    results = run(folder, world, [{**way, "zero": stage} for way in ways.values()])
    return f"{world}-{stage}", dict(zip(ways, results, strict=True))


@pytest.mark.parametrize("way", [*WAYS, *WHOLE])
def test_losses_and_norms_are_those_of_one_process(expected, many, way):
    _, results = many
    if way not in results:
        pytest.skip("is refused at this stage")
    assert np.array(results[way]) == pytest.approx(np.array(expected[way]), rel=1e-4, abs=1e-4)


def test_a_state_of_one_process_goes_on_with_many(expected, many):
    _, results = many
    assert np.array(results["load"]) == pytest.approx(np.array(expected["long"]), rel=1e-4, abs=1e-4)


def test_a_state_of_many_goes_on_with_one_process(folder, expected, many):
    name, _ = many
    (ours,) = alone(folder, [{**LONG, "load": name, "epochs": 1}])
    assert np.array(ours) == pytest.approx(np.array(expected["long"]), rel=1e-4, abs=1e-4)


def test_a_state_of_three_goes_on_with_two_at_any_stage(folder, expected):
    run(folder, 3, [{**LONG, "epochs": 1, "save": "three", "zero": 3}])
    for ours in run(folder, 2, [{**LONG, "epochs": 1, "load": "three", "zero": stage} for stage in range(4)]):
        assert np.array(ours) == pytest.approx(np.array(expected["long"]), rel=1e-4, abs=1e-4)


def test_a_state_of_two_goes_on_with_three(folder, expected):
    run(folder, 2, [{**LONG, "epochs": 1, "save": "two", "zero": 1}])
    (ours,) = run(folder, 3, [{**LONG, "epochs": 1, "load": "two", "zero": 3}])
    assert np.array(ours) == pytest.approx(np.array(expected["long"]), rel=1e-4, abs=1e-4)


def test_a_state_does_not_tell_who_made_it(folder, expected, many):
    name, _ = many
    ours, theirs = (states.newest(LocalEngine(), folder / one) for one in (name, "one"))
    assert ours.facts["format"] == theirs.facts["format"] == states.IN_SHARDS
    for part in ("network", "engine"):
        assert shape(ours.load(part)) == shape(theirs.load(part))


def shape(thing):
    """Everything but the numbers."""
    if isinstance(thing, torch.Tensor):
        return tuple(thing.shape)
    if isinstance(thing, dict):
        return {key: shape(value) for key, value in thing.items()}
    return [shape(one) for one in thing] if isinstance(thing, list | tuple) else type(thing)


def test_a_loss_scale_is_that_of_torch():
    ours, theirs = LossScale(), torch.amp.GradScaler("cpu")
    parameter = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.SGD([parameter], lr=0.0)
    for step in range(4500):
        overflow = step in (3, 4, 2100)
        parameter.grad = torch.full((1,), float("inf") if overflow else 1.0)
        theirs.scale(torch.zeros(()))
        theirs.step(optimizer)
        theirs.update()
        ours.update(overflow=overflow)
    assert ours.state_dict() == theirs.state_dict()
