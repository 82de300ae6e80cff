import pytest
import torch
from sklearn.metrics import roc_auc_score
from torchmetrics.functional.classification import multiclass_auroc

from rmldnn.losses.cross_entropy import cross_entropy
from rmldnn.losses.reduction import alone
from rmldnn.metrics.measure import Metrics
from rmldnn.metrics.ranking import auroc
from tests.metrics.kinds import BCE, KINDS, NLL


def measured(output, target, loss, make=auroc):
    metrics = Metrics([make], loss)
    metrics.update(output, target)
    return metrics.compute(alone)


@pytest.mark.parametrize("name", KINDS)
def test_areas_are_those_of_scikit_learn(name):
    """Exactly, of scores in bins; and up to the few pairs that share one, of scores as they are."""
    kind = KINDS[name]
    output, target = kind.draw(4, samples=60)
    found = measured(output, target, kind.loss)
    areas = []
    for index in range(kind.channels):
        if kind.labels:
            true, score = target[:, index].flatten(), output[:, index].flatten()
        else:
            counted = target != kind.loss.keywords.get("ignore_index", -1)
            true, score = (target == index)[counted], output[:, index][counted]
        if 0 < true.sum() < len(true):
            logit = score if name == "one-logit" else (score if kind.labels else score.exp()).logit()
            binned = torch.bucketize(logit, torch.linspace(-20, 20, 16383))
            areas.append((roc_auc_score(true, binned), roc_auc_score(true, score)))
    mean, *each = [value.item() for value in found.values() if not value.isnan()]
    binned, exact = zip(*areas, strict=True)
    assert mean == pytest.approx(sum(binned) / len(areas), abs=1e-4 / len(areas))
    assert each == pytest.approx(binned if len(areas) > 1 else [], abs=1e-4)
    assert mean == pytest.approx(sum(exact) / len(areas), abs=1e-3)


def test_areas_are_those_of_torchmetrics():
    output, target = KINDS["masks-2d"].draw(1, samples=50)
    theirs = multiclass_auroc(output.exp(), target, num_classes=3)
    assert measured(output, target, NLL)["AUROC"].item() == pytest.approx(theirs.item(), abs=1e-4)


def test_confident_networks_are_resolved():
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, 2, (4000, 1), generator=generator).float()
    output = (9 + target + torch.randn(4000, 1, generator=generator)).sigmoid()
    assert output.median() > 0.9999
    assert measured(output, target, BCE)["AUROC"].item() == pytest.approx(roc_auc_score(target, output), abs=1e-5)


def test_logits_of_classes_are_compared_by_their_probabilities():
    output = 3 * torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
    target = torch.randint(0, 3, (500,), generator=torch.Generator().manual_seed(1))
    logits = measured(output, target, cross_entropy)
    assert logits["AUROC"].item() == pytest.approx(
        roc_auc_score(target, output.softmax(1), multi_class="ovr"), abs=1e-4
    )


@pytest.mark.parametrize(
    ("scores", "area"), [([0.0, 0.3, 0.3, 1.0], 0.875), ([1.0, 1.0, 0.0, 0.0], 0), ([0.5] * 4, 0.5)]
)
def test_ties_and_certainties_count_half_and_whole(scores, area):
    output, target = torch.tensor(scores)[:, None], torch.tensor([0.0, 0.0, 1.0, 1.0])
    assert measured(output, target, BCE)["AUROC"].item() == area


def test_a_class_that_is_everywhere_or_nowhere_has_no_area():
    output = torch.rand(4, 3).log_softmax(1)
    found = measured(output, torch.tensor([0, 1, 1, 0]), NLL)
    assert found["AUROC/2"].isnan()
    assert found["AUROC"].item() == pytest.approx((found["AUROC/0"] + found["AUROC/1"]).item() / 2)
