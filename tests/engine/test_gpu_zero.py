"""DeepSpeed on one GPU, over NCCL: what plain torch learns there, at every stage, and nothing is compiled for it."""

import gc
import os

import numpy as np
import pytest
import torch
import torch.distributed as dist
from small_run import Slices, classifier, digits
from torch import nn
from zero_run import network, train

from rmldnn.engine.batch_norm import Share, synchronize
from rmldnn.engine.buckets import Buckets
from rmldnn.engine.compute import Compute
from rmldnn.engine.distributed import DistributedEngine
from rmldnn.engine.local import LocalEngine
from rmldnn.engine.loop import Learner, fit
from rmldnn.engine.ranks import Ranks
from rmldnn.engine.scattered import collected
from rmldnn.engine.zero import Zero
from rmldnn.losses.nll import nll
from rmldnn.optimizers.adam import adam
from rmldnn.optimizers.sgd import sgd
from rmldnn.steps import Batch, TrainEnd, TrainStep
from rmldnn.tasks.supervised import Supervised
from tests.waiting import waits

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, and `-m gpu`"),
    pytest.mark.filterwarnings("default"),  # DeepSpeed's own; what a user sees is looked at in whole runs
]

CPU = torch.device("cpu")
STAGES = [0, 1, 2, 3]
WAYS = {
    "SGD": {},
    "Adam": {"optimizer": "Adam"},
    "LARS": {"optimizer": "LARS"},
    "LAMB": {"optimizer": "LAMB"},
    "Adagrad": {"optimizer": "Adagrad"},
    "accumulated": {"batch_size": 4, "compute": {"accumulate": 2}},
    "clipped": {"compute": {"gradient_clip": 0.5}},
    "averaged": {"compute": {"ema": 0.9}},
    "channels-last": {"compute": {"channels_last": True}},
    "all": {"batch_size": 4, "compute": {"accumulate": 2, "gradient_clip": 0.5, "ema": 0.9}},
}
NOT_IN_PARTS = {
    "recomputed": {"network": "traced", "compute": {"activation_checkpointing": True}},
    "compiled": {"compute": {"compile": True}},
}
"""What stage 3 does not do."""
LONG = {"optimizer": "Adam", "compute": {"ema": 0.9}}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Where DeepSpeed puts what it compiles."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="module")
def engine(compiled):
    """One for all tests: DeepSpeed remembers the processes that it met first."""
    before = dict(os.environ)
    os.environ["TORCH_EXTENSIONS_DIR"] = str(compiled)
    with DistributedEngine(Ranks()) as engine:
        yield engine
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def as_before():
    """What a run sets for its process holds for one test only."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark
    yield
    matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = before
    torch._dynamo.reset()


@pytest.fixture
def learned(engine, tmp_path):
    """Loss and norm of each update, loss and accuracy of each evaluation; without a stage, those of plain torch."""

    def learned(way, stage=None, device=None, **keys):
        if stage is None:
            return np.array(train(LocalEngine(device), way, tmp_path))
        engine.zero = Zero(stage, **keys)
        return np.array(train(engine, way, tmp_path))

    return learned


def close(expected, tolerance=1e-4):
    return pytest.approx(expected, rel=tolerance, abs=tolerance)


def test_it_computes_on_the_gpu_and_talks_by_nccl(engine):
    assert engine.device == torch.device("cuda", 0)
    assert "nccl" in dist.get_backend_config()
    assert engine.total(torch.ones(2, device=engine.device)).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stage", STAGES)
def test_it_learns_what_plain_torch_learns(learned, stage, way):
    assert learned(WAYS[way], stage) == close(learned(WAYS[way]))


@pytest.mark.parametrize("way", NOT_IN_PARTS)
@pytest.mark.parametrize("stage", [0, 1, 2])
def test_stages_with_whole_weights_also_learn(learned, stage, way):
    assert learned(NOT_IN_PARTS[way], stage) == close(learned(NOT_IN_PARTS[way]))


@pytest.mark.parametrize("precision", ["tf32", "bf16", "fp16"])
@pytest.mark.parametrize("stage", STAGES)
def test_every_precision_learns(learned, stage, precision):
    way = {"optimizer": "Adam", "compute": {"precision": precision}}
    found = learned(way, stage)
    assert found[:3] == close(learned({"optimizer": "Adam"})[:3], 5e-2)
    assert found[:2] == close(learned(way)[:2], 1e-2)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("way", ["Adam", "LAMB", "all"])
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_numbers_in_the_memory_of_the_machine_learn_the_same(learned, stage, way, precision):
    if stage == 3 and way == "all":
        pytest.skip("is refused")
    way = {**WAYS[way], "compute": {**WAYS[way].get("compute", {}), "precision": precision}}
    tolerance = 1e-4 if precision == "fp32" else 2e-2
    assert learned(way, stage, offload="cpu")[:3] == close(learned(way, stage)[:3], tolerance)


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_numbers_in_the_memory_of_the_machine_leave_that_of_the_gpu(engine, stage):
    def taken(**keys):
        gc.collect()
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated()
        engine.zero = Zero(stage, **keys)
        large = engine.place(nn.Sequential(nn.Linear(2048, 2048), nn.LogSoftmax(1)))
        optimizer = adam(large.parameters())
        run = engine.prepare(large, optimizer)
        inputs, targets = torch.randn(4, 2048, device=engine.device), torch.arange(4, device=engine.device)
        batch = Batch(["a"] * 4, inputs, targets, 0, 4)
        engine.learn(lambda batch: nll(run(batch.inputs), batch.targets, engine.total), [batch])
        return torch.cuda.memory_allocated() - before

    numbers = 2048 * 2048 * 4
    assert taken() - taken(offload="cpu") > 1.9 * numbers


def test_an_optimizer_that_needs_whole_tensors_learns_at_stage_0(learned):
    way = {"optimizer": "Newton", "epochs": 1}
    assert learned(way, 0) == close(learned(way), 1e-3)


@pytest.mark.parametrize("stage", STAGES)
def test_a_gradient_that_overflows_16_bits_moves_no_weight(engine, stage):
    engine.zero = Zero(stage)
    found = engine.place(network())
    optimizer = sgd(found.parameters(), learning_rate=1.0)
    before = [parameter.detach().clone() for parameter in found.parameters()]
    run = engine.prepare(found, optimizer, Compute("fp16"))
    inputs, targets = (tensor.to(engine.device) for tensor in digits(8))
    batch = Batch(["a"] * 8, inputs, targets, 0, 8)
    engine.learn(lambda batch: 1e6 * nll(run(batch.inputs), batch.targets, engine.total), [batch])
    weights = engine.weights(found)
    after = [collected(weights[name], 0) for name, _ in found.named_parameters()]
    assert all(torch.equal(one.cpu(), other.cpu()) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("offload", [None, "cpu"])
@pytest.mark.parametrize("stage", STAGES)
def test_states_go_on_at_any_stage_and_on_the_cpu(learned, stage, offload):
    if offload and not stage:
        pytest.skip("there is nothing to offload")
    way = LONG if not (offload and stage == 3) else {"optimizer": "Adam"}
    keys = {"offload": offload} if offload else {}
    sides = {"plain": {}, "cpu": {"device": CPU}, "zero": {"stage": stage, **keys}}
    for name, side in sides.items():
        learned({**way, "epochs": 1, "save": name}, **side)
    expected = learned({**way, "epochs": 1, "load": "plain"})
    for name in sides:
        assert learned({**way, "epochs": 1, "load": name}, **sides["zero"]) == close(expected, 1e-3)
    for side in sides.values():
        assert learned({**way, "epochs": 1, "load": "zero"}, **side) == close(expected, 1e-3)


@pytest.mark.parametrize("keys", [{}, {"gradient_clip": 0.1, "ema": 0.9}], ids=["plain", "clip-ema"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("make", [sgd, adam])
@pytest.mark.parametrize("stage", STAGES)
def test_an_update_waits_for_the_device_only_where_deepspeed_does_behind_stage_0(engine, stage, make, precision, keys):
    engine.zero = Zero(stage)
    chosen = Compute(precision, **keys).on(engine.device, training=True)
    placed = engine.place(classifier())
    optimizer = make(placed.parameters(), learning_rate=0.002)
    learner = Learner(engine.prepare(placed, optimizer, chosen), optimizer)
    loader = Slices(*(tensor.to(engine.device) for tensor in digits(72)), 16)
    with waits() as places:
        for step in fit(engine, Supervised(nll), learner, loader, None, 1):
            if isinstance(step, TrainStep) and step.batch == 2:
                places.clear()
            if isinstance(step, TrainEnd):
                assert [place for place in places if stage == 0 or "/rmldnn/" in place] == []


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("twice", [False, True])
def test_statistics_of_all_processes_are_those_of_one(engine, twice, dtype, channels_last):
    if twice and dtype is not torch.float32:
        pytest.skip("second derivatives are for 32 bits")
    torch.manual_seed(0)
    x = torch.randn(6, 5, 7, 7).add(0.5).to(engine.device, dtype)
    x = x.contiguous(memory_format=torch.channels_last) if channels_last else x
    results = []
    for synchronized in (True, False):
        layer = nn.BatchNorm2d(5).to(engine.device)
        nn.init.uniform_(layer.weight)
        layer.weight.data.copy_(torch.linspace(0.5, 2, 5))
        if synchronized:
            synchronize(layer, Share(twice=twice))
        inputs = x.clone().requires_grad_()
        output = layer(inputs)
        (output.float().square() * torch.linspace(-1, 1, 49, device=engine.device).view(7, 7)).sum().backward()
        results.append([output, inputs.grad, layer.weight.grad, layer.bias.grad, layer.running_mean, layer.running_var])
    tolerance = 1e-4 if dtype is torch.float32 else 4e-2
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_gradients_that_are_summed_up_by_buckets_are_the_same_and_nobody_waits(engine, precision):
    chosen = Compute(precision, channels_last=True).on(engine.device, training=True)
    inputs, targets = (tensor.to(engine.device) for tensor in digits(16))

    def gradients(limit):
        placed = LocalEngine(engine.device).place(classifier())
        run = LocalEngine(engine.device).prepare(placed, None, chosen)
        buckets = None if limit is None else Buckets(placed.parameters(), limit, dist.new_group())
        for _ in range(2):  # the first one makes what is used again
            loss = nll(run(inputs), targets)
            for parameter in placed.parameters():
                parameter.grad = None
            with waits() as places:
                if buckets is None:
                    loss.backward()
                else:
                    with buckets.summing():
                        loss.backward()
        assert limit is None or places == []
        return [parameter.grad for parameter in placed.parameters()]

    for limit in (100, 10**6):
        torch.testing.assert_close(gradients(limit), gradients(None), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("offload", [None, "cpu"])
@pytest.mark.parametrize("stage", STAGES)
def test_nothing_is_compiled(learned, compiled, stage, offload):
    learned({"optimizer": "Adam", "epochs": 1}, stage, **({"offload": offload} if stage else {}))
    assert list(compiled.iterdir()) == []
