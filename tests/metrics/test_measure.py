"""Laws that hold for every metric: batches, processes and empty shares change nothing."""

import itertools
import math
import subprocess
import sys
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rmldnn.config import catalog
from rmldnn.errors import ConfigError
from rmldnn.losses.combined import Combined
from rmldnn.losses.cross_entropy import cross_entropy
from rmldnn.losses.mse import mse
from rmldnn.losses.nll import nll
from rmldnn.losses.reduction import alone
from rmldnn.metrics import extra
from rmldnn.metrics.deviation import mae, psnr, ssim
from rmldnn.metrics.measure import Metrics
from rmldnn.metrics.overlap import confusion_matrix, dice, f1, iou, precision, recall
from rmldnn.metrics.ranking import auroc
from rmldnn.metrics.reading import Reading, reading_for
from rmldnn.metrics.surface import hausdorff
from tests.determinism import deterministic
from tests.metrics.kinds import BCE, KINDS, NLL

COUNTED = [precision, partial(recall, average="micro"), f1, iou, dice, confusion_matrix, partial(auroc, num_bins=50)]
IMAGES = [mae, psnr, ssim]


def numbers(metrics, pairs):
    for output, target in pairs:
        metrics.update(output, target)
    return metrics.compute(alone)


def together(ranks):
    """What the processes compute, their sums added by hand."""
    sums = []
    for metrics in ranks:
        metrics.compute(lambda tensor: sums.append(tensor) or tensor)
    return sum(sums[1:], sums[0])


def makers_for(kind):
    return COUNTED + ([hausdorff] if kind.extents else [])


@pytest.mark.parametrize("name", KINDS)
def test_the_deterministic_form_gives_the_same_numbers(name):
    kind = KINDS[name]
    expected = numbers(Metrics(makers_for(kind), kind.loss), [kind.draw(0)])
    with deterministic():
        found = numbers(Metrics(makers_for(kind), kind.loss), [kind.draw(0)])
    torch.testing.assert_close(found, expected, equal_nan=True)


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), cuts=st.lists(st.integers(0, 7), max_size=4), world=st.integers(1, 3))
def test_batches_and_processes_change_nothing(name, seed, cuts, world):
    kind = KINDS[name]
    output, target = kind.draw(seed)
    whole = numbers(Metrics(makers_for(kind), kind.loss), [(output, target)])

    edges = [0, *sorted(cuts), 7]
    batches = [slice(start, stop) for start, stop in itertools.pairwise(edges)]
    ranks = [Metrics(makers_for(kind), kind.loss) for _ in range(world)]
    for number, batch in enumerate(batches):  # one process has all of a batch, the others nothing
        for rank, metrics in enumerate(ranks):
            share = batch if rank == number % world else slice(0, 0)
            metrics.update(output[share], target[share])
    added = together(ranks)
    reader = Metrics(makers_for(kind), kind.loss)
    reader.update(output[:0], target[:0])
    parted = reader.compute(lambda _: added)
    assert list(parted) == list(whole)
    for key, value in whole.items():
        torch.testing.assert_close(parted[key], value, rtol=1e-12, atol=0, equal_nan=True)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(0, 5))
def test_pictures_may_come_in_any_batches(seed, cut):
    generator = torch.Generator().manual_seed(seed)
    output, target = torch.rand(2, 5, 3, 12, 13, generator=generator)
    makers = [*IMAGES]
    whole = numbers(Metrics(makers, mse), [(output, target)])
    parts = numbers(Metrics(makers, mse), [(output[:cut], target[:cut]), (output[cut:], target[cut:])])
    for key, value in whole.items():
        torch.testing.assert_close(parts[key], value, rtol=1e-5, atol=0)


def test_only_one_sum_over_processes_is_taken():
    calls = []
    metrics = Metrics(COUNTED, NLL)
    for seed in range(3):
        metrics.update(*KINDS["masks-2d"].draw(seed))
    metrics.compute(lambda tensor: calls.append(tensor.shape) or tensor)
    assert len(calls) == 1


def test_metrics_of_the_same_counts_count_once():
    assert len(Metrics([precision, recall, f1, iou, dice, confusion_matrix], NLL)._sums) == 1


def test_each_evaluation_counts_from_nothing():
    metrics = Metrics([iou], NLL)
    first = numbers(metrics, [KINDS["classes"].draw(1)])
    numbers(metrics, [KINDS["classes"].draw(2)])
    assert numbers(metrics, [KINDS["classes"].draw(1)]) == first


def test_an_evaluation_without_batches_has_no_numbers():
    assert Metrics([iou], NLL).compute(alone) == {}


@pytest.mark.parametrize("name", ["classes", "labels", "masks-3d", "one-mask"])
def test_an_evaluation_without_samples_has_undefined_numbers(name):
    kind = KINDS[name]
    output, target = kind.draw(0, samples=0)
    found = numbers(Metrics(makers_for(kind), kind.loss), [(output, target)])
    matrix = found.pop("ConfusionMatrix")
    assert not matrix.any()
    assert all(value.isnan() for value in found.values())


def test_counting_works_in_inference_mode_and_out_of_it():
    metrics = Metrics([iou, auroc], NLL)
    output, target = KINDS["classes"].draw(0)
    with torch.inference_mode():
        metrics.update(output, target)
    metrics.update(output.requires_grad_(), target)
    assert not metrics.compute(alone)["IoU"].requires_grad


def test_numbers_come_in_the_order_of_the_configuration_by_class_names():
    metrics = Metrics([f1, auroc, partial(iou, average="micro")], NLL, classes=["cat", "dog"])
    output, target = KINDS["masks-2d"].draw(0)
    assert list(numbers(metrics, [(output, target)])) == [
        *["F1", "F1/cat", "F1/dog", "F1/2"],
        *["AUROC", "AUROC/cat", "AUROC/dog", "AUROC/2"],
        *["IoU_micro", "IoU/cat", "IoU/dog", "IoU/2"],
    ]


def test_a_single_yes_or_no_has_one_number():
    assert list(numbers(Metrics([iou, auroc, hausdorff], BCE), [KINDS["one-mask"].draw(0)])) == ["IoU", "AUROC", "HD95"]


def test_the_same_metric_twice_is_refused():
    with pytest.raises(ConfigError, match=r"metrics\[1\]: there are two metrics called IoU; remove one"):
        Metrics([iou, iou])


def test_targets_that_do_not_fit_are_told_as_a_problem_of_the_metrics():
    metrics = Metrics([iou], NLL)
    with pytest.raises(ConfigError, match=r"^metrics: .* needs class indices of shape \(2\)"):
        metrics.update(torch.rand(2, 3), torch.zeros(2, 5))
    with pytest.raises(ConfigError, match=r"^metrics: .* class index 3, but the network has 3 outputs"):
        metrics.update(torch.rand(2, 3), torch.tensor([0, 3]))


def test_a_missing_package_is_told_before_the_run(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(extra, "import_module", missing)
    for make, package in ((iou, "torchmetrics"), (ssim, "torchmetrics"), (hausdorff, "scipy")):
        with pytest.raises(ConfigError, match=rf'`{package}`; install it by: pip install "rmldnn\[metrics\]"'):
            Metrics([make])
    Metrics([mae, psnr, auroc])


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (None, Reading()),
        (mse, Reading()),
        (BCE, Reading()),
        (nll, Reading(math.log(0.5), True)),
        (partial(nll, ignore_index=3), Reading(math.log(0.5), True, 3)),
        (cross_entropy, Reading(0.0, True)),
        (Combined([(1.0, mse), (0.5, partial(nll, ignore_index=3)), (1.0, BCE)]), Reading(math.log(0.5), True, 3)),
    ],
)
def test_the_loss_says_how_to_read(loss, expected):
    assert reading_for(loss) == expected


def test_dense_targets_of_classes_are_their_largest_class():
    output, target = KINDS["masks-2d"].draw(0)
    dense = torch.nn.functional.one_hot(target, 3).movedim(-1, 1).float()
    found = numbers(Metrics([iou], NLL), [(output, dense)])
    assert found == numbers(Metrics([iou], NLL), [(output, target)])


def test_names_are_those_that_users_write():
    assert {form.name for form in catalog.group("metric").values()} == {
        *["Precision", "Recall", "F1", "IoU", "Dice", "ConfusionMatrix", "AUROC", "MAE", "PSNR", "SSIM", "HD95"]
    }


def test_packages_for_metrics_are_imported_only_when_asked_for():
    program = (
        "import sys; from rmldnn.config import catalog\n"
        "for form in catalog.group('metric').values(): form.load()\n"
        "assert not {'torchmetrics', 'scipy.ndimage'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
