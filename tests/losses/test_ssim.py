import numpy as np
import pytest
import torch

from rmldnn.errors import ConfigError
from rmldnn.losses.ssim import ssim


def formula(x, y, window, sigma, data_range):
    """Window by window in float64, variances as means of squared deviations."""
    axes = x.ndim - 2
    bell = np.exp(-((np.arange(window) - (window - 1) / 2) ** 2) / (2 * sigma**2))
    bell /= bell.sum()
    weights = np.ones(())
    for _ in range(axes):
        weights = np.multiply.outer(weights, bell)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    values = []
    for a, b in zip(x.reshape(-1, *x.shape[2:]), y.reshape(-1, *y.shape[2:]), strict=True):
        for corner in np.ndindex(*(extent - window + 1 for extent in a.shape)):
            place = tuple(slice(start, start + window) for start in corner)
            u, v = a[place], b[place]
            mu, mv = (weights * u).sum(), (weights * v).sum()
            var = (weights * (u - mu) ** 2).sum() + (weights * (v - mv) ** 2).sum()
            cov = (weights * (u - mu) * (v - mv)).sum()
            values.append((2 * mu * mv + c1) * (2 * cov + c2) / ((mu**2 + mv**2 + c1) * (var + c2)))
    return 1 - np.mean(values)


def sample(spatial, n=2, channels=2):
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(n, channels, *spatial, generator=generator, dtype=torch.float64)
    return target + 0.2 * torch.randn(target.shape, generator=generator, dtype=torch.float64), target


@pytest.mark.parametrize("spatial", [(20,), (13, 12), (12, 11, 13)])
@pytest.mark.parametrize("keys", [{}, {"window": 4, "sigma": 0.8, "data_range": 3.0}])
def test_value(spatial, keys):
    if keys and len(spatial) == 3:
        spatial = (5, 6, 4)
    output, target = sample(spatial)
    full = {"window": 11, "sigma": 1.5, "data_range": 1.0} | keys
    expected = formula(output.numpy(), target.numpy(), **full)
    assert ssim(output, target, **keys).item() == pytest.approx(expected, rel=1e-9)


def test_same_images_cost_nothing():
    _, target = sample((16, 16))
    assert ssim(target, target).item() == pytest.approx(0, abs=1e-12)


def test_large_mean_keeps_the_digits_of_the_variance():
    output, target = (tensor + 300 for tensor in sample((16, 16)))
    expected = ssim(output, target).item()
    assert ssim(output.float(), target.float()).item() == pytest.approx(expected, rel=1e-3)


def test_window_larger_than_the_images():
    with pytest.raises(
        ConfigError, match=r"loss.window: SSIM compares windows of 11 pixels.*outputs have 8 x 16 pixels"
    ):
        ssim(torch.zeros(1, 1, 8, 16), torch.zeros(1, 1, 8, 16))


def test_outputs_without_places():
    with pytest.raises(ConfigError, match=r"outputs have no pixels"):
        ssim(torch.zeros(4, 3), torch.zeros(4, 3))


def test_shapes_are_named():
    with pytest.raises(ConfigError, match=r"SSIM needs a target of the same shape.*\(1, 1, 16, 15\)"):
        ssim(torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 16, 15))
