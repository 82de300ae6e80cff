"""Learning on one GPU: what the CPU learns, in every precision, and without waiting for the device at every update."""

import copy

import pytest
import torch
from small_run import Slices, classifier, digits
from torch import fx

from rmldnn.engine.batch_size import automatic_batch_size
from rmldnn.engine.compute import compute
from rmldnn.engine.evaluation import evaluate
from rmldnn.engine.learning import go_on
from rmldnn.engine.local import LocalEngine
from rmldnn.engine.loop import Learner, fit
from rmldnn.losses.nll import nll
from rmldnn.optimizers.adagrad import adagrad
from rmldnn.optimizers.adam import adam, adamw
from rmldnn.optimizers.hessian import hessian
from rmldnn.optimizers.lamb import lamb
from rmldnn.optimizers.lars import lars
from rmldnn.optimizers.lion import lion
from rmldnn.optimizers.muon import muon
from rmldnn.optimizers.nadam import nadam
from rmldnn.optimizers.radam import radam
from rmldnn.optimizers.rmsprop import rmsprop
from rmldnn.optimizers.schedule_free import schedule_free_adamw
from rmldnn.optimizers.sgd import sgd
from rmldnn.steps import Batch, EvalEnd, TrainEnd, TrainStep
from rmldnn.tasks.supervised import Supervised
from tests.waiting import waits

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, and `-m gpu`"),
]

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
INPUTS, TARGETS = digits(72)
STEPPING = [adagrad, adam, adamw, lamb, lars, lion, muon, nadam, radam, rmsprop, schedule_free_adamw, sgd]
TORCH = {
    adagrad: torch.optim.Adagrad,
    adam: torch.optim.Adam,
    adamw: torch.optim.AdamW,
    nadam: torch.optim.NAdam,
    radam: torch.optim.RAdam,
    rmsprop: torch.optim.RMSprop,
    sgd: torch.optim.SGD,
}


@pytest.fixture(autouse=True)
def as_before():
    """What a run sets for its process holds for one test only."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark
    yield
    matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = before


def learned(device, make=sgd, num_epochs=2, inputs=INPUTS, targets=TARGETS, consume=lambda step: None, **keys):
    """Losses of all updates and of all evaluations, and the weights, of a training on a device."""
    chosen = compute(**{"precision": "fp32", **keys}).on(device, training=True)
    engine = LocalEngine(device)
    network = engine.place(fx.symbolic_trace(classifier()))
    optimizer = make(network.parameters(), learning_rate=0.002)
    learner = Learner(engine.prepare(network, optimizer, chosen), optimizer, accumulate=chosen.accumulate)
    loader = Slices(inputs, targets, 16)
    steps = []
    for step in fit(engine, Supervised(nll), learner, loader, loader, num_epochs):
        steps.append(step)
        consume(step)
    losses = [step.loss.item() for step in steps if isinstance(step, (TrainStep, TrainEnd, EvalEnd))]
    return losses, [parameter.detach() for parameter in network.parameters()]


def assert_close(found, expected, rel):
    assert len(found) == len(expected)
    assert found == pytest.approx(expected, rel=rel, abs=rel)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"accumulate": 2},
        {"gradient_clip": 0.1},
        {"ema": 0.9},
        {"activation_checkpointing": True},
        {"channels_last": True},
        {"channels_last": False},
        {"accumulate": 2, "gradient_clip": 0.1, "ema": 0.9, "activation_checkpointing": True},
    ],
    ids=lambda keys: "-".join(keys) or "plain",
)
def test_fp32_learns_what_the_cpu_learns(keys):
    losses, weights = learned(GPU, **keys)
    assert {weight.device for weight in weights} == {GPU}
    assert_close(losses, learned(CPU, **keys)[0], 1e-4)


@pytest.mark.parametrize("make", STEPPING)
def test_every_optimizer_learns_what_it_learns_on_the_cpu(make):
    assert_close(learned(GPU, make)[0], learned(CPU, make)[0], 2e-2 if make is muon else 1e-3)


def test_a_method_of_second_order_learns_what_it_learns_on_the_cpu():
    def make(parameters, learning_rate):
        return hessian(parameters, max_iterations=3)

    assert_close(learned(GPU, make, 1)[0], learned(CPU, make, 1)[0], 1e-2)


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("precision", ["tf32", "bf16", "fp16", "auto"])
def test_every_precision_learns(precision, channels_last):
    losses, weights = learned(GPU, adam, precision=precision, channels_last=channels_last)
    assert_close(losses, learned(CPU, adam)[0], 2e-2)
    assert {weight.dtype for weight in weights} == {torch.float32}


@pytest.mark.parametrize("make", STEPPING)
def test_every_optimizer_learns_from_scaled_gradients(make):
    losses, weights = learned(GPU, make, precision="fp16", gradient_clip=1.0)
    assert_close(losses[:2], learned(CPU, make, gradient_clip=1.0)[0][:2], 0.1)  # some then go ways of their own
    assert all(weight.isfinite().all() for weight in weights)


def test_a_gradient_that_overflows_16_bits_moves_no_weight():
    def make(parameters, learning_rate):
        return sgd(parameters, learning_rate=1.0)

    _, weights = learned(GPU, make, 1, 1e4 * INPUTS, TARGETS, precision="fp16")
    assert all(weight.isfinite().all() for weight in weights)


@pytest.mark.parametrize("keys", [{}, {"gradient_clip": 0.1, "ema": 0.9}], ids=["plain", "clip-ema"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("make", STEPPING)
def test_an_update_does_not_wait_for_the_device(make, precision, keys):
    """From the third update on: the first ones make what an optimizer keeps."""
    with waits() as places:

        def consume(step):
            if isinstance(step, TrainStep) and step.batch == 2:
                places.clear()
            if isinstance(step, TrainEnd):
                assert places == []

        learned(GPU, make, 1, INPUTS.to(GPU), TARGETS.to(GPU), consume, precision=precision, **keys)


def test_a_fused_optimizer_does_not_wait_for_the_scale_of_a_loss():
    with waits() as places:

        def consume(step):
            if isinstance(step, TrainStep) and step.batch == 2:
                places.clear()
            if isinstance(step, TrainEnd):
                assert places == []

        learned(GPU, adam, 1, INPUTS.to(GPU), TARGETS.to(GPU), consume, precision="fp16")


def test_an_evaluation_does_not_wait_for_the_device():
    engine = LocalEngine()
    network = engine.prepare(classifier())
    steps = evaluate(engine, Supervised(nll), network, Slices(INPUTS.to(GPU), TARGETS.to(GPU), 16))
    next(steps)
    with waits() as places:
        for _ in steps:
            assert places == []


@pytest.mark.parametrize("make", TORCH)
def test_an_optimizer_is_fused_where_torch_has_it(make):
    def fuses(kind):
        parameter = torch.ones(2, device=GPU, requires_grad=True)
        parameter.grad = torch.ones_like(parameter)
        try:
            kind([parameter], lr=0.1, fused=True).step()
        except (RuntimeError, TypeError, NotImplementedError):
            return False
        return True

    parameter = torch.ones(2, device=GPU, requires_grad=True)
    assert bool(make([parameter]).defaults.get("fused")) == fuses(TORCH[make])


@pytest.mark.parametrize("make", STEPPING)
def test_the_state_of_an_optimizer_goes_on_elsewhere(make):
    """Gradients are not computed, so that both go the same way to the last digits."""

    def moved(parameters, optimizer, steps):
        getattr(optimizer, "train", lambda: None)()
        for step in steps:
            for place, parameter in enumerate(parameters):
                generator = torch.Generator().manual_seed(10 * step + place)
                parameter.grad = torch.randn(parameter.shape, generator=generator).to(parameter.device)
            optimizer.step()

    def start(device):
        generator = torch.Generator().manual_seed(0)
        shapes = ((8, 4), (8,))
        return [torch.randn(shape, generator=generator).to(device).requires_grad_() for shape in shapes]

    whole = start(CPU)
    moved(whole, make(whole), range(6))
    for here, there in ((GPU, CPU), (CPU, GPU)):
        before = start(here)
        optimizer = make(before)
        moved(before, optimizer, range(3))
        after = [parameter.detach().to(there).requires_grad_() for parameter in before]
        other = make(after)
        go_on(other, copy.deepcopy(optimizer.state_dict()))
        moved(after, other, range(3, 6))
        tolerance = 1e-2 if make is muon else 1e-5
        torch.testing.assert_close([one.cpu() for one in after], whole, rtol=tolerance, atol=tolerance)


def test_a_batch_size_is_found_below_the_end_of_memory():
    engine, network, task = LocalEngine(), classifier(), Supervised(nll)
    network = engine.place(network)
    sample = Batch(["a"], INPUTS[:1].to(GPU), TARGETS[:1].to(GPU), 0, 1)
    automatic_batch_size(engine, task, network, sample, 2)  # libraries take their memory
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(GPU).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved(GPU) + 2**25) / total, GPU)
    try:
        with pytest.raises(torch.OutOfMemoryError):
            task.forward(
                network, Batch([], sample.inputs.repeat(1024, 1, 1, 1), TARGETS.to(GPU), 0, 1024), engine.total
            )
        size = automatic_batch_size(engine, task, network, sample, 10**6)
        assert 8 <= size < 1024
        batch = Batch([], sample.inputs.repeat(size, 1, 1, 1), sample.targets.repeat(size), 0, size)
        task.forward(network, batch, engine.total)[0].backward()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, GPU)
