import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rmldnn.errors import ConfigError
from rmldnn.losses.mse import mse


def sample(n, shape=(2, 3)):
    generator = torch.Generator().manual_seed(n)
    return tuple(torch.randn(n, *shape, generator=generator, dtype=torch.float64) for _ in range(2))


@pytest.mark.parametrize("shape", [(1,), (4,), (1, 5), (2, 3, 4), (1, 2, 2, 2)])
def test_value(shape):
    output, target = sample(5, shape)
    assert mse(output, target).item() == pytest.approx(np.mean((output.numpy() - target.numpy()) ** 2), rel=1e-12)


def test_gradient():
    output, target = sample(3)
    assert torch.autograd.gradcheck(lambda x: mse(x, target), output.requires_grad_())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers(1, 9), data=st.data())
def test_split_is_harmless(assert_split_is_harmless, n, data):
    cuts = data.draw(st.lists(st.integers(0, n), max_size=4))
    assert_split_is_harmless(mse, *sample(n), cuts)


def test_class_indices_for_several_outputs_are_one_hot():
    output = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert mse(output, torch.tensor([0, 2])).item() == pytest.approx(1 / 6)


def test_class_indices_for_one_output_are_numbers():
    assert mse(torch.tensor([[1.0], [3.0]]), torch.tensor([1, 1])).item() == 2


def test_shapes_are_named():
    with pytest.raises(ConfigError, match=r"output of shape \(2, 1, 4, 4\).*target has shape \(2, 1, 5, 5\)"):
        mse(torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 5, 5))
