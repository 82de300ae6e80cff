"""Every loss on the GPU: the numbers of the CPU, the same bits every time, 16 bits, and no wait for the device."""

import pytest
import torch

from tests.losses.test_every_loss import every_loss, extreme, sample
from tests.waiting import waits

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, and `-m gpu`"),
]


def of(loss, output, target, keys):
    """A loss, and its gradient by the output."""
    output = output.detach().requires_grad_()
    value = loss(output, target, **keys)
    value.backward()
    return value.detach(), output.grad


@every_loss
def test_it_is_that_of_the_cpu(kind, loss, keys):
    output, target = sample(kind, keys, 4, (9, 8), torch.float32)
    expected, slope = of(loss, output, target, keys)
    for here in (target, target.cuda()):  # targets may lie on the host
        value, gradient = of(loss, output.cuda(), here, keys)
        torch.testing.assert_close(value.cpu(), expected, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(gradient.cpu(), slope, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
@every_loss
def test_extreme_inputs_of_a_network_in_16_bits(kind, loss, keys, dtype):
    value, gradient = extreme(kind, loss, keys, dtype, "cuda")
    assert value.isfinite()
    assert gradient.isfinite().all()


@every_loss
def test_it_has_a_deterministic_form(kind, loss, keys):
    output, target = sample(kind, keys, 4, (9, 8), torch.float32)
    torch.use_deterministic_algorithms(True)
    try:
        value, gradient = of(loss, output.cuda(), target.cuda(), keys)
        again, same = of(loss, output.cuda(), target.cuda(), keys)
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.equal(value, again)
    assert torch.equal(gradient, same)


@every_loss
def test_it_does_not_wait_for_the_device(kind, loss, keys):
    output, target = sample(kind, keys, 4, (9, 8), torch.float32)
    output, target = output.cuda(), target.cuda()
    of(loss, output, target, keys)  # weights of classes move there
    with waits() as places:
        of(loss, output, target, keys)
    assert places == []
