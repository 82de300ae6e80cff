from functools import partial

import pytest
import torch

from rmldnn.losses.mse import mse
from rmldnn.losses.nll import nll
from rmldnn.losses.reduction import alone
from rmldnn.metrics.accuracy import Accuracy
from rmldnn.steps import Batch
from rmldnn.tasks.supervised import Supervised

NETWORK = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LogSoftmax(1))


def batch(targets):
    return Batch(["a", "b"], torch.eye(2, 3), targets, 0, 2)


def test_loss_compares_output_with_target():
    targets = torch.tensor([0, 1])
    loss, output = Supervised(nll).forward(NETWORK, batch(targets), alone)
    assert torch.equal(loss, nll(output, targets))


@pytest.mark.parametrize(("task", "targets"), [(Supervised(), torch.tensor([0, 1])), (Supervised(nll), None)])
def test_no_loss_without_something_to_compare(task, targets):
    loss, output = task.forward(NETWORK, batch(targets), alone)
    assert loss is None
    assert output.shape == (2, 2)


def test_loss_is_reduced_by_the_total_of_the_run():
    seen = []
    Supervised(nll).forward(NETWORK, batch(torch.tensor([0, 1])), lambda sums: seen.append(sums.shape) or sums)
    assert seen == [(2,)]


@pytest.mark.parametrize(
    ("task", "metric"),
    [
        (Supervised(), None),
        (Supervised(mse), None),
        (Supervised(partial(nll, ignore_index=4)), Accuracy(ignore_index=4)),
        (Supervised(mse, Accuracy()), Accuracy()),
    ],
)
def test_metric(task, metric):
    assert task.metric == metric
