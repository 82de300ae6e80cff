import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rmldnn.errors import ConfigError
from rmldnn.losses.reduction import alone
from rmldnn.metrics.measure import Metrics
from rmldnn.metrics.surface import hausdorff, hd95
from tests.metrics.kinds import BCE, KINDS, NLL


def by_force(found, there, spacing):
    """Every place of one surface against every place of the other, in plain numpy."""

    def surface(mask):
        padded = np.pad(mask, 1)
        inside = np.ones_like(padded)
        for axis in range(mask.ndim):
            inside &= np.roll(padded, 1, axis) & np.roll(padded, -1, axis)
        places = padded & ~inside
        return (np.argwhere(places) - 1) * np.array(spacing)

    first, second = surface(found), surface(there)
    distances = np.linalg.norm(first[:, None] - second[None], axis=-1)
    return max(np.percentile(distances.min(1), 95), np.percentile(distances.min(0), 95))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    shape=st.sampled_from([(20,), (9, 12), (5, 6, 7)]),
    share=st.sampled_from([0.05, 0.5, 0.95]),
)
def test_distances_are_those_found_by_force(seed, shape, share):
    generator = np.random.default_rng(seed)
    found, there = generator.random((2, *shape)) < share
    if not (found.any() and there.any()):
        found.flat[0] = there.flat[-1] = True
    spacing = tuple(generator.uniform(0.5, 3, len(shape)).tolist())
    assert hd95(found, there, spacing) == pytest.approx(by_force(found, there, spacing))


def measured(output, target, loss, **keys):
    metrics = Metrics([partial(hausdorff, **keys)], loss)
    metrics.update(output, target)
    return {name: value.item() for name, value in metrics.compute(alone).items()}


@pytest.mark.parametrize("name", ["masks-1d", "masks-2d", "masks-3d", "one-mask", "several-masks"])
@pytest.mark.parametrize("background", [False, True])
def test_distances_are_averaged_over_samples_then_classes(name, background):
    kind = KINDS[name]
    output, target = kind.draw(8)
    means = []
    for index in range(0 if kind.labels or background else 1, kind.channels):
        said = (output[:, index] > 0.5 if kind.labels else output.argmax(1) == index).numpy()
        true = (target[:, index] == 1 if kind.labels else target == index).numpy()
        means.append(np.mean([by_force(*masks, (1,) * len(kind.extents)) for masks in zip(said, true, strict=True)]))
    mean, *each = measured(output, target, kind.loss, include_background=background).values()
    assert mean == pytest.approx(np.mean(means))
    assert each == pytest.approx(means if len(means) > 1 else [])


def test_a_sample_without_the_class_says_nothing_and_one_that_misses_it_the_most():
    output, target = torch.zeros(3, 1, 4, 5), torch.zeros(3, 1, 4, 5)
    assert math.isnan(measured(output, target, BCE)["HD95"])
    target[1, 0, 1, 1] = 1
    assert measured(output, target, BCE)["HD95"] == 5
    output[1, 0, 1, 1] = 1
    assert measured(output, target, BCE)["HD95"] == 0
    output[2, 0, 0, 0] = 1
    assert measured(output, target, BCE, spacing=[2.0, 0.0001])["HD95"] == pytest.approx(3)


def test_spacing_has_one_number_for_each_axis():
    with pytest.raises(ConfigError, match=r"^metrics: HD95: `spacing` has 1 numbers, but there are 2 axes"):
        measured(*KINDS["masks-2d"].draw(0), NLL, spacing=[1.0])


def test_a_classification_has_no_surfaces():
    with pytest.raises(ConfigError, match=r"HD95 needs 1 or 2 or 3 spatial axes, but the network's output has 0"):
        measured(*KINDS["classes"].draw(0), NLL)


def test_ignored_places_belong_to_no_mask():
    from rmldnn.losses.nll import nll

    output = torch.zeros(1, 2, 6)
    output[0, 1, 1:4] = 1
    target = torch.tensor([[0, 1, 255, 255, 0, 0]])
    assert measured(output, target, partial(nll, ignore_index=255))["HD95"] == 0
