import copy
import math
import os

import pytest
import torch
from small_run import Slices, classifier, digits
from torch import nn

from rmldnn.engine.compute import Compute
from rmldnn.engine.evaluation import evaluate
from rmldnn.engine.interface import open_engine
from rmldnn.engine.local import LocalEngine
from rmldnn.engine.loop import Learner, fit
from rmldnn.engine.progress import Progress
from rmldnn.engine.ranks import Ranks
from rmldnn.losses.mse import mse
from rmldnn.losses.nll import nll
from rmldnn.optimizers.adam import adam
from rmldnn.optimizers.sgd import sgd
from rmldnn.schedulers.decay import exponential
from rmldnn.steps import EpochEnd, EvalEnd, EvalStep, TrainEnd, TrainStep
from rmldnn.tasks.supervised import Supervised

INPUTS, TARGETS = digits(36)


def learn(network, optimizer, task, train, test, num_epochs, scheduler=None, compute=None, **keys):
    """The steps of a training in this process."""
    engine, compute = LocalEngine(), compute or Compute()
    ready = engine.prepare(network, optimizer, compute)
    learner = Learner(ready, optimizer, scheduler, compute.accumulate)
    return list(fit(engine, task, learner, train, test, num_epochs, **keys))


def training(num_epochs=2, task=None, test=True, batch_size=16, compute=None, **keys):
    network = classifier()
    optimizer = sgd(network.parameters(), learning_rate=0.1, momentum=0.5)
    loader = Slices(INPUTS, TARGETS, batch_size)
    test = Slices(INPUTS, TARGETS, 16) if test else None
    return learn(network, optimizer, task or Supervised(nll), loader, test, num_epochs, compute=compute, **keys)


def of(kind, steps):
    return [step for step in steps if isinstance(step, kind)]


def test_order_of_steps():
    kinds = [type(step) for step in training(1)]
    assert kinds == [TrainStep] * 3 + [TrainEnd] + [EvalStep] * 3 + [EvalEnd, EpochEnd]


def test_numbers_of_steps():
    numbers = [
        (step.epoch, step.num_epochs, step.batch, step.num_batches, step.size) for step in of(TrainStep, training())
    ]
    assert numbers == [(epoch, 2, batch, 3, size) for epoch in (1, 2) for batch, size in ((1, 16), (2, 16), (3, 4))]


def test_no_evaluation_without_test_data():
    assert not of((EvalStep, EvalEnd), training(1, test=False))


def test_training_is_that_of_a_loop_by_hand():
    network = classifier()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.5)
    expected = []
    for _ in range(2):
        for start in range(0, 36, 16):
            optimizer.zero_grad()
            loss = nn.functional.nll_loss(network(INPUTS[start : start + 16]), TARGETS[start : start + 16])
            loss.backward()
            norm = math.sqrt(sum(parameter.grad.double().square().sum().item() for parameter in network.parameters()))
            optimizer.step()
            expected += [loss.item(), norm]
    steps = of(TrainStep, training())
    numbers = [number.item() for step in steps for number in (step.loss, step.grad_norm)]
    assert numbers == pytest.approx(expected, rel=1e-5)


def test_mean_loss_weighs_batches_by_their_samples():
    steps = training(1)
    mean = sum(step.loss.item() * step.size for step in of(TrainStep, steps)) / 36
    assert of(TrainEnd, steps)[0].loss.item() == pytest.approx(mean)


def test_evaluation_ends_with_loss_and_accuracy_of_the_whole_set():
    network = classifier()
    *_, end = evaluate(LocalEngine(), Supervised(nll), network, Slices(INPUTS, TARGETS, 16))
    with torch.no_grad():
        output = network(INPUTS)
    assert end.loss.item() == pytest.approx(nll(output, TARGETS).item(), rel=1e-5)
    assert end.accuracy.item() == pytest.approx((output.argmax(1) == TARGETS).double().mean().item())


def test_evaluation_steps_have_their_own_loss_and_the_accuracy_so_far():
    network = classifier()
    steps = of(EvalStep, evaluate(LocalEngine(), Supervised(nll), network, Slices(INPUTS, TARGETS, 16)))
    with torch.no_grad():
        output = network(INPUTS)
    assert steps[1].loss.item() == pytest.approx(nll(output[16:32], TARGETS[16:32]).item(), rel=1e-5)
    assert steps[1].accuracy.item() == pytest.approx((output[:32].argmax(1) == TARGETS[:32]).double().mean().item())


def test_evaluation_is_epoch_1_of_1():
    steps = list(evaluate(LocalEngine(), Supervised(nll), classifier(), Slices(INPUTS, TARGETS, 16)))
    assert {(step.epoch, step.num_epochs) for step in steps} == {(1, 1)}


def test_prediction_without_targets():
    network = classifier()
    *steps, end = evaluate(LocalEngine(), Supervised(), network, Slices(INPUTS, None, 16), want_predictions=True)
    assert {(step.loss, step.accuracy) for step in [*steps, end]} == {(None, None)}
    with torch.no_grad():
        torch.testing.assert_close(torch.cat([step.predictions for step in steps]), network(INPUTS))
    assert [name for step in steps for name in step.names] == [f"sample_{index}" for index in range(36)]


def test_predictions_only_on_request():
    assert {step.predictions for step in of(EvalStep, training(1))} == {None}


def test_regression_has_no_accuracy():
    network = nn.Linear(1, 1)
    points = torch.linspace(0, 1, 8).unsqueeze(1)
    *_, end = evaluate(LocalEngine(), Supervised(mse), network, Slices(points, 2 * points, 3))
    assert end.loss is not None
    assert end.accuracy is None


def test_consumers_do_not_run_in_inference_mode():
    modes = [
        torch.is_inference_mode_enabled()
        for _ in evaluate(LocalEngine(), Supervised(nll), classifier(), Slices(INPUTS, TARGETS, 16))
    ]
    assert not any(modes)


def test_dropout_is_on_in_training_only():
    network = nn.Sequential(nn.Dropout(0.5), nn.Linear(1, 1))
    modes = []
    network[0].register_forward_hook(lambda module, *_: modes.append(module.training))
    points = torch.ones(4, 1)
    loader = Slices(points, points, 4)
    learn(network, sgd(network.parameters()), Supervised(mse), loader, loader, 2)
    assert modes == [True, False, True, False]


def test_schedule_moves_at_the_ends_of_epochs():
    network = nn.Linear(1, 1)
    optimizer = sgd(network.parameters(), learning_rate=0.5)
    schedule = exponential(optimizer, gamma=0.1)
    points = torch.ones(4, 1)
    steps = learn(network, optimizer, Supervised(mse), Slices(points, points, 2), None, 3, schedule)
    assert [step.learning_rate for step in of(TrainEnd, steps)] == pytest.approx([0.5, 0.05, 0.005])


def test_frozen_parameters_stay():
    network = classifier()
    for parameter in network[0].parameters():
        parameter.requires_grad_(False)
    before = network[0][0].weight.clone()
    loader = Slices(INPUTS, TARGETS, 16)
    optimizer = sgd([p for p in network.parameters() if p.requires_grad])
    learn(network, optimizer, Supervised(nll), loader, None, 1)
    assert torch.equal(network[0][0].weight, before)


def test_training_without_loss_is_refused():
    with pytest.raises(RuntimeError, match="training needs a loss"):
        training(1, task=Supervised())


def test_one_process_runs_plain_torch():
    with open_engine(Ranks()) as engine:
        assert (engine.rank, engine.world, engine.local_world, type(engine)) == (0, 1, 1, LocalEngine)
        assert engine.cores == len(os.sched_getaffinity(0))


def test_importing_the_local_engine_does_not_import_deepspeed():
    import subprocess
    import sys

    code = "import rmldnn.engine.loop, rmldnn.engine.local, sys; sys.exit('deepspeed' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def numbers(steps):
    """Loss and gradient norm of every update, loss and accuracy of every evaluation."""
    trained = [[step.loss.item(), step.grad_norm.item()] for step in of(TrainStep, steps)]
    return trained + [[step.loss.item(), step.accuracy.item()] for step in of(EvalEnd, steps)]


@pytest.mark.parametrize("accumulate", [2, 4])
def test_accumulated_batches_learn_as_one_of_their_size(accumulate):
    whole = training(batch_size=4 * accumulate)
    parts = training(batch_size=4, compute=Compute(accumulate=accumulate))
    torch.testing.assert_close(torch.tensor(numbers(parts)), torch.tensor(numbers(whole)), rtol=1e-5, atol=1e-6)
    positions = [
        [(step.batch, step.num_batches, step.size) for step in of(TrainStep, steps)] for steps in (parts, whole)
    ]
    assert positions[0] == positions[1]


def test_a_gradient_is_cut_to_the_length_that_is_allowed():
    network, limit = classifier(), 0.05
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.5)
    expected = []
    for _ in range(2):
        for start in range(0, 36, 16):
            optimizer.zero_grad()
            loss = nn.functional.nll_loss(network(INPUTS[start : start + 16]), TARGETS[start : start + 16])
            loss.backward()
            expected.append([loss.item(), nn.utils.clip_grad_norm_(network.parameters(), limit).item()])
            optimizer.step()
    steps = training(test=False, compute=Compute(gradient_clip=limit))
    torch.testing.assert_close(torch.tensor(numbers(steps)), torch.tensor(expected), rtol=1e-4, atol=1e-6)
    assert min(norm for _, norm in expected) > limit


def test_the_mean_of_the_weights_is_what_is_evaluated():
    network, decay = classifier(), 0.5
    mean = [parameter.detach().clone() for parameter in network.parameters()]
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.5)
    for count, start in enumerate(range(0, 36, 16), start=1):
        optimizer.zero_grad()
        nn.functional.nll_loss(network(INPUTS[start : start + 16]), TARGETS[start : start + 16]).backward()
        optimizer.step()
        keep = min(decay, (1 + count) / (10 + count))
        mean = [keep * old + (1 - keep) * new.detach() for old, new in zip(mean, network.parameters(), strict=True)]
    for parameter, value in zip(network.parameters(), mean, strict=True):
        parameter.data = value
    with torch.no_grad():
        expected = nll(network(INPUTS), TARGETS).item()
    steps = training(1, compute=Compute(ema=decay))
    assert of(EvalEnd, steps)[0].loss.item() == pytest.approx(expected, rel=1e-5)


def test_weights_that_learn_are_not_those_that_were_evaluated():
    assert [step.loss.item() for step in of(TrainStep, training(3, compute=Compute(ema=0.9)))] == [
        step.loss.item() for step in of(TrainStep, training(3))
    ]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_learns_nearly_the_same(precision):
    mixed, plain = numbers(training(compute=Compute(precision=precision))), numbers(training())
    torch.testing.assert_close(torch.tensor(mixed), torch.tensor(plain), rtol=0.1, atol=0.02)
    assert mixed != plain


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`:DeprecationWarning")
def test_compiled_networks_learn_the_same():
    torch.testing.assert_close(
        torch.tensor(numbers(training(compute=Compute(compile=True)))),
        torch.tensor(numbers(training())),
        rtol=1e-4,
        atol=1e-5,
    )


def test_memory_format_changes_nothing_but_the_speed():
    torch.testing.assert_close(
        torch.tensor(numbers(training(compute=Compute(channels_last=True)))),
        torch.tensor(numbers(training())),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("stop", [1, 2, 3, 5, 7])
def test_a_training_that_goes_on_from_its_state_is_the_same_to_the_last_bit(stop):
    """The state of a moment in a new network, optimizer, schedule, and progress."""

    def made():
        engine, network = LocalEngine(), nn.Sequential(nn.Dropout(0.5), *classifier())
        optimizer = adam(network.parameters(), learning_rate=0.01)
        schedule = exponential(optimizer, gamma=0.5)
        progress = Progress(seed=3)
        ready = engine.prepare(network, optimizer, Compute(ema=0.9))
        learner = Learner(ready, optimizer, schedule)
        loader = Slices(INPUTS, TARGETS, 16)
        steps = fit(engine, Supervised(nll), learner, loader, loader, 3, progress=progress)
        return engine, network, schedule, progress, steps

    *_, steps = made()
    whole = numbers(list(steps))
    engine, network, schedule, progress, steps = made()
    taken = []
    for step in steps:
        taken.append(step)
        if len(of(TrainStep, taken)) == stop:
            break
    kept = copy.deepcopy([engine.state_dict(), network.state_dict(), schedule.state_dict(), progress.state_dict()])
    engine, network, schedule, progress, steps = made()
    for part, state in zip((engine, network, schedule, progress), kept, strict=True):
        part.load_state_dict(state)
    rest = list(steps)
    ends = numbers(of(EvalEnd, taken) + of(EvalEnd, rest))
    assert numbers(of(TrainStep, taken) + of(TrainStep, rest)) + ends == whole
