"""Counts and ratios against scikit-learn and torchmetrics, on the whole set."""

from functools import partial

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torchmetrics.functional import classification as tm

from rmldnn.losses.reduction import alone
from rmldnn.metrics.measure import Metrics
from rmldnn.metrics.overlap import confusion_matrix, dice, f1, iou, precision, recall
from tests.metrics.kinds import BCE, KINDS, NLL

SKLEARN = {
    precision: sk.precision_score,
    recall: sk.recall_score,
    f1: sk.f1_score,
    iou: sk.jaccard_score,
    dice: sk.f1_score,
}
TORCHMETRICS = {precision: "precision", recall: "recall", f1: "f1_score", iou: "jaccard_index", dice: "f1_score"}


def measured(make, output, target, loss, **settings):
    metrics = Metrics([make], loss, **settings)
    metrics.update(output, target)
    return metrics.compute(alone)


def flat(kind, seed):
    """Predicted and true classes, or labels (places, labels), without those ignored."""
    output, target = kind.draw(seed)
    if kind.labels:
        said = output > (0 if kind.loss.keywords["source"] == "linear" else 0.5)
        return said.movedim(1, -1).reshape(-1, kind.channels).int(), target.movedim(1, -1).reshape(-1, kind.channels)
    ignored = kind.loss.keywords.get("ignore_index")
    counted = target != ignored if ignored is not None else torch.ones_like(target, dtype=torch.bool)
    return output.argmax(1)[counted], target[counted]


@pytest.mark.parametrize("make", SKLEARN, ids=lambda make: make.component_name)
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("name", KINDS)
def test_ratios_are_those_of_scikit_learn(name, average, make):
    kind = KINDS[name]
    said, true = flat(kind, 5)
    found = measured(partial(make, average=average), *kind.draw(5), kind.loss)
    if kind.channels == 1:
        assert list(found.values()) == [pytest.approx(SKLEARN[make](true, said))]
        return
    keys = {} if kind.labels else {"labels": np.unique(np.concatenate([true, said]))}
    mean, *each = found.values()
    assert mean.item() == pytest.approx(SKLEARN[make](true, said, average=average, zero_division=0, **keys))
    expected = SKLEARN[make](true, said, average=None, zero_division=0, **keys)
    assert [value.item() for value in each if not value.isnan()] == pytest.approx(list(expected))


@pytest.mark.parametrize("make", TORCHMETRICS, ids=lambda make: make.component_name)
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_ratios_are_those_of_torchmetrics(make, average):
    kind = KINDS["masks-3d"]
    said, true = flat(kind, 3)
    theirs = getattr(tm, f"multiclass_{TORCHMETRICS[make]}")(said, true, num_classes=3, average=average)
    found = next(iter(measured(partial(make, average=average), *kind.draw(3), kind.loss).values()))
    assert found.item() == pytest.approx(theirs.item())


@pytest.mark.parametrize("name", KINDS)
def test_the_confusion_matrix_is_that_of_scikit_learn(name):
    kind = KINDS[name]
    said, true = flat(kind, 5)
    found = measured(confusion_matrix, *kind.draw(5), kind.loss)["ConfusionMatrix"]
    if kind.labels and kind.channels > 1:
        expected = sk.multilabel_confusion_matrix(true, said)
    else:
        expected = sk.confusion_matrix(true.flatten(), said.flatten(), labels=range(max(kind.channels, 2)))
    assert found.tolist() == expected.tolist()


def one_hot_output(classes, channels):
    return torch.nn.functional.one_hot(torch.as_tensor(classes), channels).float()


def test_a_class_that_occurs_nowhere_has_no_value_and_does_not_count():
    found = measured(iou, one_hot_output([0, 0, 1], 3), torch.tensor([0, 1, 1]), NLL)
    assert found["IoU/2"].isnan()
    assert found["IoU"].item() == 0.5


def test_a_class_that_is_only_said_or_only_there_has_the_value_0():
    found = measured(precision, one_hot_output([0, 2], 3), torch.tensor([0, 1]), NLL)
    assert [found[f"Precision/{index}"].item() for index in range(3)] == [1, 0, 0]
    assert found["Precision"].item() == pytest.approx(1 / 3)


@pytest.mark.parametrize(("average", "expected"), [("macro", 1 / 3), ("micro", 1 / 3), ("weighted", 2 / 9)])
def test_the_background_may_be_left_out(average, expected):
    output, target = one_hot_output([0, 0, 1, 1, 1], 3), torch.tensor([0, 0, 1, 2, 2])
    found = measured(partial(recall, average=average, include_background=False), output, target, NLL)
    each = {"macro": 0.5, "micro": 1 / 3, "weighted": 1 / 3}
    assert next(iter(found.values())).item() == pytest.approx(each[average])
    assert found["Recall/0"].item() == 1


def test_yes_or_no_has_no_background():
    output, target = KINDS["several-masks"].draw(0)
    assert measured(partial(dice, include_background=False), output, target, BCE) == measured(dice, output, target, BCE)


def test_ignored_places_of_a_single_mask_do_not_count():
    from rmldnn.losses.overlap import dice as dice_loss

    output, target = torch.tensor([[0.9], [0.9], [0.2], [0.7]]), torch.tensor([1.0, 255.0, 1.0, 0.0])
    loss = partial(dice_loss, source="sigmoid", ignore_index=255)
    assert measured(confusion_matrix, output, target, loss)["ConfusionMatrix"].tolist() == [[0, 1], [1, 1]]


def test_masks_with_a_channel_and_floats_beside_integers_are_class_indices():
    output, target = KINDS["masks-2d"].draw(0)
    expected = measured(iou, output, target, NLL)
    assert measured(iou, output, target.unsqueeze(1).float() - 1e-4, NLL) == expected
