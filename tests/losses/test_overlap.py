from functools import partial

import numpy as np
import pytest
import torch

from rmldnn.errors import ConfigError
from rmldnn.losses.overlap import dice, jaccard, tversky

EPS = 1e-7
SCORES = {
    dice: lambda c, p, t: (2 * c + EPS) / (p + t + EPS),
    jaccard: lambda c, p, t: (c + EPS) / (p + t - c + EPS),
    tversky: lambda c, p, t: (c + EPS) / (c + 0.3 * (p - c) + 0.7 * (t - c) + EPS),
}
SOURCES = {None: lambda p: p, "softmax": lambda p: p, "log_softmax": torch.log, "linear": torch.log, "none": torch.log}
every_score = pytest.mark.parametrize("loss", SCORES, ids=lambda loss: loss.__name__)


def sample(n=4, spatial=(3, 2), seed=0):
    generator = torch.Generator().manual_seed(seed)
    output = torch.randn(n, 3, *spatial, generator=generator, dtype=torch.float64).softmax(1)
    return output, torch.randint(0, 3, (n, *spatial), generator=generator)


def formula(loss, probability, target, weight=(1, 1, 1), ignored=None):
    """By sums over all places of each class, in numpy."""
    p = np.moveaxis(probability.numpy(), 1, -1).reshape(-1, 3)
    t = target.numpy().reshape(-1)
    p, t = p[t != ignored], np.eye(3)[t[t != ignored]]
    scores = SCORES[loss]((p * t).sum(0), p.sum(0), t.sum(0))
    return 1 - np.average(scores, weights=weight)


@every_score
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("spatial", [(), (5,), (3, 2), (2, 3, 2)])
def test_value(loss, spatial, source):
    output, target = sample(spatial=spatial)
    value = loss(SOURCES[source](output), target, source=source).item()
    assert value == pytest.approx(formula(loss, output, target), rel=1e-10)


@every_score
def test_classes_are_weighted(loss):
    output, target = sample()
    expected = formula(loss, output, target, weight=[1, 0, 3])
    assert loss(output, target, weight=[1.0, 0.0, 3.0]).item() == pytest.approx(expected, rel=1e-10)


@every_score
def test_ignored_places(loss):
    output, target = sample()
    target[:, 0] = 255
    assert loss(output, target, ignore_index=255).item() == pytest.approx(
        formula(loss, output, target, ignored=255), rel=1e-10
    )


@every_score
def test_ignored_class_has_no_score(loss):
    output, target = sample()
    expected = formula(loss, output, target, weight=[1, 0, 2], ignored=1)
    assert loss(output, target, ignore_index=1, weight=[1.0, 5.0, 2.0]).item() == pytest.approx(expected, rel=1e-10)


@every_score
def test_dense_target_is_class_indices(loss):
    output, target = sample()
    members = torch.nn.functional.one_hot(target, 3).movedim(-1, 1)
    expected = loss(output, target).item()
    for dense in (members, members.bool(), members.float(), members.to(torch.uint8)):
        assert loss(output, dense).item() == pytest.approx(expected, rel=1e-12)


@every_score
def test_mask_with_a_channel_is_class_indices(loss):
    output, target = sample()
    assert loss(output, target.unsqueeze(1).to(torch.uint8)) == loss(output, target)


@every_score
@pytest.mark.parametrize("kind", [torch.int64, torch.uint8, torch.float32])
@pytest.mark.parametrize("with_channel", [False, True])
def test_one_output_is_the_foreground(loss, kind, with_channel):
    output, target = sample()
    output, target = output[:, :1], (target > 0).to(kind)
    p, t = output.numpy(), target.numpy()
    expected = 1 - SCORES[loss]((p[:, 0] * t).sum(), p.sum(), t.sum())
    target = target.unsqueeze(1) if with_channel else target
    assert loss(output, target, source="sigmoid").item() == pytest.approx(expected, rel=1e-10)
    assert loss(output.logit(), target, source="linear").item() == pytest.approx(expected, rel=1e-10)


@every_score
@pytest.mark.parametrize("kind", [torch.int64, torch.uint8, torch.float32])
def test_ignored_places_of_one_output(loss, kind):
    output, target = sample()
    output, target = output[:, :1], (target > 0).to(kind)
    target[:, 0] = 255
    kept = loss(output[:, :, 1:], target[:, 1:]).item()
    assert loss(output, target.unsqueeze(1), ignore_index=255).item() == pytest.approx(kept, rel=1e-12)


def test_even_errors_make_dice_and_full_errors_jaccard_of_tversky():
    output, target = sample()
    even, full = partial(tversky, alpha=0.5, beta=0.5, eps=1e-12), partial(tversky, alpha=1.0, beta=1.0)
    assert even(output, target).item() == pytest.approx(dice(output, target, eps=2e-12).item(), rel=1e-9)
    assert full(output, target).item() == pytest.approx(jaccard(output, target).item(), rel=1e-12)


@every_score
def test_perfect_and_absent_classes_cost_nothing(loss):
    target = torch.tensor([[0, 1, 1, 0]])
    output = torch.nn.functional.one_hot(target, 3).movedim(-1, 1).float()
    assert loss(output, target).item() == pytest.approx(0, abs=1e-7)


@every_score
def test_counts_beyond_the_integers_of_float32(loss):
    places = 2**25 + 3
    output = torch.ones(1, 1, 1).expand(1, 1, places)
    target = torch.ones(1, 1, dtype=torch.bool).expand(1, places)
    assert loss(output, target).item() == pytest.approx(0, abs=1e-6)


@every_score
def test_index_beyond_the_outputs_is_named(loss):
    output, target = sample()
    target[0, 0, 0] = 7
    with pytest.raises(ConfigError, match="class index 7, but the network has 3 outputs"):
        loss(output, target)


@every_score
def test_masks_that_were_not_scaled(loss):
    output, target = sample()
    with pytest.raises(ConfigError, match=r'targets from 0 to 1.*holds 255.*"values": \[0, 255\].*loss.ignore_index'):
        loss(output[:, :1], target * 127.5)


@every_score
def test_shapes_are_named(loss):
    output, _ = sample()
    with pytest.raises(ConfigError, match=r"shape \(4, 3, 3, 2\).*target has shape \(4, 2, 3, 2\)"):
        loss(output, torch.zeros(4, 2, 3, 2))
    with pytest.raises(ConfigError, match=r"shape \(4, 3, 3, 2\).*target has shape \(4, 5, 5\)"):
        loss(output, torch.zeros(4, 5, 5))
    with pytest.raises(ConfigError, match=r"shape \(4, 1, 3, 2\).*target has shape \(4, 2, 3, 2\)"):
        loss(output[:, :1], torch.zeros(4, 2, 3, 2))


@every_score
def test_probabilities_have_no_class_to_ignore(loss):
    output, _ = sample()
    with pytest.raises(ConfigError, match=r"loss.ignore_index: has no meaning"):
        loss(output, output, ignore_index=1)


@every_score
def test_weight_of_wrong_length(loss):
    with pytest.raises(ConfigError, match=r"loss.weight: has 2 numbers, but the network has 3 outputs"):
        loss(*sample(), weight=[1.0, 2.0])
