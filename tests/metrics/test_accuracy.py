import math
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rmldnn.losses.bce import bce, bce_with_logits
from rmldnn.losses.combined import Combined
from rmldnn.losses.cross_entropy import cross_entropy
from rmldnn.losses.focal import focal
from rmldnn.losses.lovasz import lovasz
from rmldnn.losses.mse import mse
from rmldnn.losses.nll import nll
from rmldnn.losses.overlap import dice, jaccard, tversky
from rmldnn.losses.robust import huber, l1, smooth_l1
from rmldnn.losses.ssim import ssim
from rmldnn.metrics.accuracy import Accuracy, accuracy_for


def accuracy(output, target, **keys):
    metric = Accuracy(**keys)
    return metric.value(metric.sums(torch.as_tensor(output), torch.as_tensor(target))).item()


def hard_dice(predicted, target, classes, counted):
    """Dice averaged over classes and samples, by sets of places."""
    total = 0.0
    for sample in range(len(target)):
        for index in range(classes):
            ours = {i for i, value in enumerate(predicted[sample].flatten().tolist()) if value == index}
            theirs = {i for i, value in enumerate(target[sample].flatten().tolist()) if value == index}
            places = {i for i, value in enumerate(counted[sample].flatten().tolist()) if value}
            ours, theirs = ours & places, theirs & places
            total += 2 * len(ours & theirs) / (len(ours) + len(theirs)) if ours or theirs else 1.0
    return total / (len(target) * classes)


def test_classification_is_the_fraction_of_right_samples():
    assert accuracy([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], [1, 0, 0, 0]) == 0.75


def test_single_probability_decides_between_two_classes():
    assert accuracy([[0.9], [0.2], [0.6]], [1, 0, 0]) == pytest.approx(2 / 3)


def test_single_logit_decides_at_zero():
    assert accuracy([[0.2], [-0.2], [0.4]], [1, 0, 0], threshold=0.0) == pytest.approx(2 / 3)


def test_several_labels_count_one_by_one():
    assert accuracy([[0.9, 0.1], [0.9, 0.9]], [[1.0, 0.0], [0.0, 1.0]]) == 0.75


def test_ignored_samples_do_not_count():
    assert accuracy([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]], [1, -1, 0], ignore_index=-1) == 0.5


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), ignored=st.booleans())
def test_segmentation_is_the_hard_dice_coefficient(seed, ignored):
    generator = torch.Generator().manual_seed(seed)
    output = torch.rand(3, 4, 3, 2, generator=generator)
    target = torch.randint(0, 3, (3, 3, 2), generator=generator)
    if ignored:
        target.view(-1)[::4] = 255
    expected = hard_dice(output.argmax(1), target, 4, target != 255)
    assert accuracy(output, target, ignore_index=255 if ignored else None) == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000))
def test_single_channel_segmentation_has_background_and_foreground(seed):
    generator = torch.Generator().manual_seed(seed)
    output = torch.rand(2, 1, 3, 3, generator=generator)
    target = torch.randint(0, 2, (2, 1, 3, 3), generator=generator).float()
    expected = hard_dice((output > 0.5).long(), target.long(), 2, torch.ones_like(target))
    assert accuracy(output, target) == pytest.approx(expected)


def test_channel_absent_everywhere_is_right():
    output = torch.zeros(1, 2, 2, 2)
    target = torch.zeros(1, 2, 2, 2)
    target[0, 1, 0, 0] = 1
    assert accuracy(output, target) == 0.5


def test_mask_with_a_channel_is_class_indices():
    output = torch.rand(2, 3, 4, 4)
    target = torch.randint(0, 3, (2, 4, 4))
    assert accuracy(output, target.unsqueeze(1).float()) == accuracy(output, target)


def test_class_indices_beside_integers_are_those_integers():
    output = torch.rand(2, 3, 4, 4)
    target = torch.randint(0, 3, (2, 4, 4))
    assert accuracy(output, target - 1e-4) == accuracy(output, target)


def test_log_probabilities_decide_like_probabilities():
    probabilities, target = torch.rand(5, 3).softmax(1), torch.randint(0, 2, (5, 3)).float()
    metric = accuracy_for(partial(bce, source="log_softmax"))
    assert metric.value(metric.sums(probabilities.log(), target)).item() == accuracy(probabilities, target)


@pytest.mark.parametrize("spatial", [(), (4,), (3, 2)])
@pytest.mark.parametrize("source", [torch.softmax, torch.log_softmax, lambda scores, axis: scores])
def test_dense_target_of_exclusive_classes_is_their_index(source, spatial):
    scores, target = torch.randn(5, 3, *spatial), torch.randint(0, 3, (5, *spatial))
    dense = torch.nn.functional.one_hot(target, 3).movedim(-1, 1)
    for members in (dense, dense.bool(), dense.float()):
        assert accuracy(source(scores, 1), members, exclusive=True) == accuracy(scores, target)


@pytest.mark.parametrize(
    ("channels", "spatial", "dense"), [(3, (), False), (3, (4,), False), (1, (4,), True), (3, (4,), True)]
)
@settings(max_examples=20, deadline=None)
@given(cut=st.integers(0, 6))
def test_sums_of_parts_add_up(channels, spatial, dense, cut):
    generator = torch.Generator().manual_seed(cut)
    output = torch.rand(6, channels, *spatial, generator=generator)
    shape = (6, channels, *spatial) if dense else (6, *spatial)
    target = torch.randint(0, 2, shape, generator=generator)
    metric = Accuracy()
    parts = metric.sums(output[:cut], target[:cut]) + metric.sums(output[cut:], target[cut:])
    torch.testing.assert_close(parts, metric.sums(output, target))


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (nll, Accuracy()),
        (partial(nll, weight=None, ignore_index=3), Accuracy(ignore_index=3)),
        (partial(bce, source="sigmoid"), Accuracy()),
        (partial(bce, source="linear"), Accuracy(threshold=0.0)),
        (partial(bce, source="log_softmax"), Accuracy(threshold=math.log(0.5))),
        (bce_with_logits, Accuracy(threshold=0.0)),
        (partial(bce_with_logits, source="sigmoid"), Accuracy()),
        (cross_entropy, Accuracy(threshold=0.0, exclusive=True)),
        (partial(dice, source=None), Accuracy()),
        (partial(dice, source="sigmoid", ignore_index=255), Accuracy(ignore_index=255)),
        (partial(jaccard, source="softmax"), Accuracy(exclusive=True)),
        (partial(tversky, source="linear"), Accuracy(threshold=0.0, exclusive=True)),
        (partial(focal, source="log_softmax"), Accuracy(threshold=math.log(0.5), exclusive=True)),
        (lovasz, Accuracy()),
        (mse, None),
        (partial(mse), None),
        (l1, None),
        (smooth_l1, None),
        (huber, None),
        (partial(ssim, window=7), None),
        (Combined([(0.5, mse), (1.0, partial(dice, source="sigmoid")), (1.0, nll)]), Accuracy()),
        (Combined([(0.5, mse), (1.0, ssim)]), None),
    ],
)
def test_accuracy_goes_with_the_loss(loss, expected):
    assert accuracy_for(loss) == expected
