"""Losses compared with MONAI's, an independent implementation, partly in float32."""

import pytest
import torch
from monai import losses as monai

from rmldnn.losses.focal import focal
from rmldnn.losses.overlap import dice, jaccard, tversky
from rmldnn.losses.ssim import ssim

SPATIAL = [(7,), (5, 6), (3, 4, 5)]


def sample(spatial, seed=0):
    generator = torch.Generator().manual_seed(seed)
    output = torch.randn(3, 4, *spatial, generator=generator, dtype=torch.float64)
    return output, torch.randint(0, 4, (3, *spatial), generator=generator)


@pytest.mark.parametrize("spatial", SPATIAL)
@pytest.mark.parametrize(
    ("ours", "theirs", "keys"),
    [
        (dice, monai.DiceLoss, {}),
        (jaccard, monai.DiceLoss, {"jaccard": True}),
        (tversky, monai.TverskyLoss, {"alpha": 0.3, "beta": 0.7}),
    ],
    ids=["dice", "jaccard", "tversky"],
)
def test_overlap(ours, theirs, keys, spatial):
    output, target = sample(spatial)
    reference = theirs(softmax=True, to_onehot_y=True, batch=True, smooth_nr=1e-7, smooth_dr=1e-7, **keys)
    value = ours(output, target, source="linear").item()
    assert value == pytest.approx(reference(output, target.unsqueeze(1)).item(), rel=1e-7)  # jaccard halves eps


@pytest.mark.parametrize("spatial", SPATIAL)
@pytest.mark.parametrize("gamma", [0.0, 1.5, 2.0])
def test_focal_of_classes(spatial, gamma):
    output, target = sample(spatial)
    reference = monai.FocalLoss(use_softmax=True, to_onehot_y=True, gamma=gamma)
    expected = 4 * reference(output, target.unsqueeze(1)).item()  # theirs is a mean over classes too
    assert focal(output, target, source="linear", gamma=gamma).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("spatial", SPATIAL)
def test_focal_of_answers(spatial):
    output, target = sample(spatial)
    reference = monai.FocalLoss(to_onehot_y=True, alpha=0.25)
    value = focal(output.sigmoid(), target, source="sigmoid", alpha=0.25).item()
    assert value == pytest.approx(reference(output, target.unsqueeze(1)).item(), rel=1e-5)


@pytest.mark.parametrize("spatial", [(13, 14), (11, 12, 13)])
def test_ssim(spatial):
    output, _ = sample(spatial)
    output, target = output[:, :2], output[:, 2:]
    reference = monai.SSIMLoss(spatial_dims=len(spatial), data_range=2.0)
    value = ssim(output, target, data_range=2.0).item()
    assert value == pytest.approx(reference(output, target).item(), rel=1e-4)
