import math

import pytest
import torch
from small_run import Slices, classifier, digits
from torch import nn

from rmldnn.engine.interface import open_engine
from rmldnn.engine.local import LocalEngine
from rmldnn.engine.loop import evaluate, fit
from rmldnn.engine.ranks import Ranks
from rmldnn.losses.mse import mse
from rmldnn.losses.nll import nll
from rmldnn.optimizers.sgd import sgd
from rmldnn.schedulers.decay import exponential
from rmldnn.steps import EpochEnd, EvalEnd, EvalStep, TrainEnd, TrainStep
from rmldnn.tasks.supervised import Supervised

INPUTS, TARGETS = digits(36)


def training(num_epochs=2, task=None, test=True, **keys):
    network = classifier()
    optimizer = sgd(network.parameters(), learning_rate=0.1, momentum=0.5)
    task = task or Supervised(nll)
    loader = Slices(INPUTS, TARGETS, 16)
    return list(
        fit(LocalEngine(), task, network, optimizer, None, loader, loader if test else None, num_epochs, **keys)
    )


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
    list(fit(LocalEngine(), Supervised(mse), network, sgd(network.parameters()), None, loader, loader, 2))
    assert modes == [True, False, True, False]


def test_schedule_moves_at_the_ends_of_epochs():
    network = nn.Linear(1, 1)
    optimizer = sgd(network.parameters(), learning_rate=0.5)
    schedule = exponential(optimizer, gamma=0.1)
    points = torch.ones(4, 1)
    steps = fit(LocalEngine(), Supervised(mse), network, optimizer, schedule, Slices(points, points, 2), None, 3)
    assert [step.learning_rate for step in of(TrainEnd, steps)] == pytest.approx([0.5, 0.05, 0.005])


def test_frozen_parameters_stay():
    network = classifier()
    for parameter in network[0].parameters():
        parameter.requires_grad_(False)
    before = network[0][0].weight.clone()
    loader = Slices(INPUTS, TARGETS, 16)
    optimizer = sgd([p for p in network.parameters() if p.requires_grad])
    list(fit(LocalEngine(), Supervised(nll), network, optimizer, None, loader, None, 1))
    assert torch.equal(network[0][0].weight, before)


def test_training_without_loss_is_refused():
    with pytest.raises(RuntimeError, match="training needs a loss"):
        training(1, task=Supervised())


def test_one_process_runs_plain_torch():
    with open_engine(Ranks()) as engine:
        assert (engine.rank, engine.world, engine.local_world, type(engine)) == (0, 1, 1, LocalEngine)


def test_importing_the_local_engine_does_not_import_deepspeed():
    import subprocess
    import sys

    code = "import rmldnn.engine.loop, rmldnn.engine.local, sys; sys.exit('deepspeed' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
