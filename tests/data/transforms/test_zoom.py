import numpy as np
import pytest
import torch

from rmldnn.data.transforms.zoom import random_scale, random_zoom


def test_zoom_enlarges_the_middle_to_the_former_size(apply):
    picture = np.tile(np.linspace(-1, 1, 101, dtype=np.float32)[None, :, None], (51, 1, 1))
    widths = []
    for index in range(100):
        zoomed = apply(random_zoom(amount=0.5), picture, index=index)
        assert zoomed.shape == picture.shape
        assert zoomed[0, 0, 0] == -zoomed[0, -1, 0]  # the middle stays where it is
        widths.append(zoomed[0, -1, 0])
    assert 0.5 <= min(widths) < 0.56
    assert 0.94 < max(widths) <= 1


def test_a_zoom_is_a_crop_and_a_resize(apply, numbers_of):
    picture = numbers_of((20, 30, 3), "float32")
    window = random_zoom(amount=0.9).motion((20, 30), np.random.default_rng(1)).first
    cut = picture[tuple(slice(low, low + size) for low, size in zip(window.start, window.extent, strict=True))]
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(cut.copy()).permute(2, 0, 1)[None], (20, 30), mode="bilinear"
    )[0].permute(1, 2, 0)
    zoomed = random_zoom(amount=0.9).motion((20, 30), np.random.default_rng(1)).move(picture, nearest=False)
    np.testing.assert_allclose(zoomed, expected, atol=1e-5)


@pytest.mark.parametrize("extent", [(40, 40), (40, 40, 40)])
def test_scaling_leaves_the_middle_in_place_and_zeros_around(apply, extent):
    sample = np.ones((*extent, 1), np.float32)
    sizes = [apply(random_scale(amount=0.5), sample, index=index).any(axis=-1).sum() for index in range(20)]
    assert min(sizes) < 0.6 * sample.size < max(sizes) == sample.size


@pytest.mark.parametrize("extent", [(1, 2), (3, 4)])
def test_the_smallest_samples_keep_their_size(apply, extent):
    for index in range(50):
        assert apply(random_zoom(amount=1.0), np.ones((*extent, 1)), index=index).shape == (*extent, 1)
