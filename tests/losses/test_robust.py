import numpy as np
import pytest
import torch

from rmldnn.errors import ConfigError
from rmldnn.losses.robust import huber, l1, smooth_l1


def sample(shape=(2, 3)):
    generator = torch.Generator().manual_seed(0)
    return tuple(2 * torch.randn(5, *shape, generator=generator, dtype=torch.float64) for _ in range(2))


def huber_formula(difference, delta):
    d = np.abs(difference)
    return np.where(d < delta, d**2 / 2, delta * (d - delta / 2)).mean()


@pytest.mark.parametrize("shape", [(1,), (4,), (1, 5), (2, 3, 4), (1, 2, 2, 2)])
@pytest.mark.parametrize("bend", [0.3, 1.0])
def test_value(shape, bend):
    output, target = sample(shape)
    difference = (output - target).numpy()
    assert l1(output, target).item() == pytest.approx(np.abs(difference).mean(), rel=1e-12)
    assert huber(output, target, delta=bend).item() == pytest.approx(huber_formula(difference, bend), rel=1e-12)
    expected = huber_formula(difference, bend) / bend
    assert smooth_l1(output, target, beta=bend).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("loss", [l1, smooth_l1, huber])
def test_class_indices_for_several_outputs_are_one_hot(loss):
    output, target = torch.eye(3), torch.tensor([0, 1, 2])
    assert loss(output, target).item() == 0


@pytest.mark.parametrize("loss", [l1, smooth_l1, huber])
def test_shapes_are_named(loss):
    with pytest.raises(ConfigError, match=r"output of shape \(2, 1, 4, 4\).*target has shape \(2, 1, 5, 5\)"):
        loss(torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 5, 5))


def test_targets_too_large_for_16_bits():
    output, target = torch.zeros(2, 1, dtype=torch.float16), torch.full((2, 1), 1e5)
    assert l1(output, target).item() == 1e5
