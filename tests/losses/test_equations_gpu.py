"""Every differential equation on the GPU: the numbers of the CPU, the same bits again, and no wait for the device."""

import pytest
import torch

from tests.losses.test_every_equation import every_equation, sample
from tests.waiting import waits

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, and `-m gpu`"),
]


def of(loss, output, target):
    """A loss, and its gradient by the output."""
    output = output.detach().requires_grad_()
    value = loss(output, target)
    value.backward()
    return value.detach(), output.grad


@every_equation
def test_it_is_that_of_the_cpu(kind, shape, keys):
    loss = kind(**keys)
    output, target = sample(kind, shape, 3, torch.float32)
    expected, slope = of(loss, output, target)
    for here in (target, target.cuda()):  # targets may lie on the host
        value, gradient = of(loss, output.cuda(), here)
        torch.testing.assert_close(value.cpu(), expected, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(gradient.cpu(), slope, rtol=1e-3, atol=1e-5)


@every_equation
def test_it_does_not_wait_for_the_device(kind, shape, keys):
    loss = kind(**keys)
    output, target = (tensor.cuda() for tensor in sample(kind, shape, 3, torch.float32))
    value, gradient = of(loss, output, target)
    with waits() as places:
        again, same = of(loss, output, target)
    assert places == []
    assert torch.equal(value, again)
    assert torch.equal(gradient, same)
