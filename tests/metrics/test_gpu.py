"""Metrics of outputs on the GPU are those of the CPU."""

import pytest
import torch

from rmldnn.metrics.accuracy import accuracy_for
from rmldnn.metrics.measure import Metrics
from tests.metrics.kinds import KINDS
from tests.metrics.test_measure import IMAGES, makers_for, numbers
from tests.waiting import waits

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, and `-m gpu`"),
]


@pytest.mark.parametrize("name", KINDS)
def test_they_are_those_of_the_cpu(name):
    kind = KINDS[name]
    pairs = [kind.draw(seed) for seed in range(3)]
    expected = numbers(Metrics(makers_for(kind), kind.loss), pairs)
    found = numbers(Metrics(makers_for(kind), kind.loss), [(one.cuda(), other.cuda()) for one, other in pairs])
    assert found.keys() == expected.keys()
    for metric, value in expected.items():
        torch.testing.assert_close(found[metric].cpu(), value, rtol=1e-4, atol=1e-4, equal_nan=True, msg=metric)


def test_those_of_images_are_those_of_the_cpu():
    generator = torch.Generator().manual_seed(0)
    pairs = [tuple(torch.rand(2, 3, 24, 24, generator=generator) for _ in range(2)) for _ in range(2)]
    expected = numbers(Metrics(IMAGES, None), pairs)
    found = numbers(Metrics(IMAGES, None), [(one.cuda(), other.cuda()) for one, other in pairs])
    for metric, value in expected.items():
        torch.testing.assert_close(found[metric].cpu(), value, rtol=1e-4, atol=1e-4, msg=metric)


@pytest.mark.parametrize("name", KINDS)
def test_accuracy_is_that_of_the_cpu_and_does_not_wait_for_the_device(name):
    kind = KINDS[name]
    output, target = kind.draw(0)
    accuracy = accuracy_for(kind.loss)
    expected = accuracy.value(accuracy.sums(output, target))
    output, target = output.cuda(), target.cuda()
    accuracy.sums(output, target)
    with waits() as places:
        found = accuracy.value(accuracy.sums(output, target))
    assert places == []
    torch.testing.assert_close(found.cpu(), expected)
