from functools import partial

import pytest
import torch
from torchmetrics.functional import image, regression

from rmldnn.errors import ConfigError
from rmldnn.losses.mse import mse
from rmldnn.losses.reduction import alone
from rmldnn.metrics.deviation import mae, psnr, ssim
from rmldnn.metrics.measure import Metrics


def measured(make, output, target):
    metrics = Metrics([make], mse)
    metrics.update(output, target)
    (value,) = metrics.compute(alone).values()
    return value.item()


def pair(*shape):
    return torch.rand(2, 5, *shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(1,), (4,), (1, 9), (3, 12, 13), (1, 8, 9, 10)])
def test_errors_are_those_of_torchmetrics(shape):
    output, target = pair(*shape)
    assert measured(mae, output, target) == pytest.approx(regression.mean_absolute_error(output, target).item())
    expected = image.peak_signal_noise_ratio(output, target, data_range=2.0).item()
    assert measured(partial(psnr, data_range=2.0), output, target) == pytest.approx(expected, rel=1e-6)


def test_signal_to_noise_ratios_of_samples_are_averaged_on_request():
    output, target = pair(3, 12, 13)
    expected = image.peak_signal_noise_ratio(output, target, data_range=1.0, dim=(1, 2, 3)).item()
    assert measured(partial(psnr, average="sample"), output, target) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("shape", [(3, 12, 13), (1, 8, 9, 10)])
def test_similarity_is_that_of_torchmetrics(shape):
    output, target = pair(*shape)
    expected = image.structural_similarity_index_measure(output, target, data_range=1.0).item()
    assert measured(ssim, output, target) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_numbers_of_16_bits_are_summed_in_more(kind):
    output, target = pair(3, 12, 13)
    output = output.to(kind)
    for make in (mae, psnr, ssim):
        assert measured(make, output, target) == pytest.approx(measured(make, output.float(), target), rel=1e-12)


def test_no_error_at_all():
    output, _ = pair(3, 12, 13)
    assert measured(mae, output, output) == 0
    assert measured(psnr, output, output) == float("inf")
    assert measured(ssim, output, output) == pytest.approx(1)


def test_masks_without_a_channel_are_compared_too():
    output, target = pair(1, 12, 13)
    assert measured(mae, output, target.squeeze(1)) == measured(mae, output, target)


def test_similarity_needs_pictures_of_some_size():
    with pytest.raises(ConfigError, match=r"SSIM needs 2 or 3 spatial axes, but the network's output has 0; remove it"):
        measured(ssim, *pair(4))
    with pytest.raises(ConfigError, match=r"SSIM needs at least 6 pixels along each axis, got \(5, 8\)"):
        measured(ssim, *pair(1, 5, 8))
