import numpy as np
import pytest
import torch

from rmldnn.errors import ConfigError
from rmldnn.losses.lovasz import lovasz


def gradient(sorted_members):
    """The paper's: neighbouring differences of the Jaccard loss, in float64."""
    size = sorted_members.sum()
    intersection = size - np.cumsum(sorted_members)
    union = size + np.cumsum(1 - sorted_members)
    return np.diff(1 - intersection / union, prepend=0)


def softmax_formula(probability, target, classes=3, ignored=None):
    """The Lovász-softmax per image, over the classes that are there."""
    losses = []
    for p, t in zip(probability.reshape(len(probability), classes, -1), target.reshape(len(target), -1), strict=True):
        p, t = p[:, t != ignored], t[t != ignored]
        terms = []
        for c in range(classes):
            members = (t == c).astype(float)
            if members.any():
                errors = abs(members - p[c])
                order = np.argsort(-errors, kind="stable")
                terms.append(errors[order] @ gradient(members[order]))
        if terms:
            losses.append(np.mean(terms))
    return np.mean(losses)


def hinge_formula(score, target, ignored=None):
    losses = []
    for f, t in zip(score.reshape(len(score), -1), target.reshape(len(target), -1), strict=True):
        f, t = f[t != ignored], t[t != ignored].astype(float)
        errors = 1 - f * (2 * t - 1)
        order = np.argsort(-errors, kind="stable")
        losses.append(np.maximum(errors[order], 0) @ gradient(t[order]))
    return np.mean(losses)


def sample(n=4, spatial=(3, 4), channels=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    output = torch.randn(n, channels, *spatial, generator=generator, dtype=torch.float64)
    return output, torch.randint(0, max(2, channels), (n, *spatial), generator=generator)


@pytest.mark.parametrize("ignored", [None, 255, 1])
@pytest.mark.parametrize("spatial", [(), (7,), (3, 4), (2, 3, 2)])
def test_value_of_classes(spatial, ignored):
    output, target = sample(spatial=spatial)
    if ignored == 255:
        target.view(-1)[::3] = 255
    expected = softmax_formula(output.softmax(1).numpy(), target.numpy(), ignored=ignored)
    for source, given in (("linear", output), ("softmax", output.softmax(1)), ("log_softmax", output.log_softmax(1))):
        assert lovasz(given, target, source=source, ignore_index=ignored).item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("ignored", [None, 255])
@pytest.mark.parametrize("spatial", [(), (7,), (3, 4), (2, 3, 2)])
def test_value_of_one_output(spatial, ignored):
    output, target = sample(spatial=spatial, channels=1)
    target[0] = 0  # a sample without foreground
    if ignored:
        target.view(-1)[1::3] = 255
    if not spatial and ignored:
        output, target = output[target != 255], target[target != 255]
    expected = hinge_formula(output.numpy(), target.numpy(), ignored)
    assert lovasz(output, target, source="linear", ignore_index=ignored).item() == pytest.approx(expected, rel=1e-10)
    assert lovasz(output.sigmoid(), target, ignore_index=ignored).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_certain_predictions_cost_the_jaccard_loss(seed):
    _, target = sample(spatial=(6,), seed=seed)
    _, predicted = sample(spatial=(6,), seed=seed + 100)
    certain = torch.nn.functional.one_hot(predicted, 3).movedim(-1, 1).double()
    expected = []
    for ours, theirs in zip(predicted.tolist(), target.tolist(), strict=True):
        sets = [[{i for i, c in enumerate(row) if c == index} for row in (ours, theirs)] for index in set(theirs)]
        expected.append(np.mean([1 - len(a & b) / len(a | b) for a, b in sets]))
    assert lovasz(certain, target).item() == pytest.approx(np.mean(expected), rel=1e-12)


def test_dense_target_is_class_indices():
    output, target = sample()
    dense = torch.nn.functional.one_hot(target, 3).movedim(-1, 1)
    assert lovasz(output, dense.float(), source="linear") == lovasz(output, target, source="linear")


def test_many_places_keep_their_digits():
    output, target = sample(n=1, spatial=(300_000,), channels=1)
    target[0] = torch.rand(300_000) > 0.001
    expected = hinge_formula(output.numpy(), target.numpy())
    assert lovasz(output.float(), target, source="linear").item() == pytest.approx(expected, rel=1e-5)


def test_sample_of_nothing_but_ignored_places_does_not_count():
    output, target = sample()
    target[1:] = 255
    one = lovasz(output[:1], target[:1], source="linear").item()
    assert lovasz(output, target, source="linear", ignore_index=255).item() == pytest.approx(one, rel=1e-12)


def test_index_beyond_the_outputs_is_named():
    output, target = sample()
    target[0, 0, 0] = 7
    with pytest.raises(ConfigError, match="class index 7, but the network has 3 outputs"):
        lovasz(output, target)
