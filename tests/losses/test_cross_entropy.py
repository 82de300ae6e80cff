from itertools import product

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from rmldnn.errors import ConfigError
from rmldnn.losses.cross_entropy import cross_entropy

SOURCES = {
    None: lambda scores: scores,
    "linear": lambda scores: scores,
    "softmax": lambda scores: scores.softmax(1),
    "log_softmax": lambda scores: scores.log_softmax(1),
}


def sample(n=5, spatial=(3, 2)):
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(n, 3, *spatial, generator=generator, dtype=torch.float64)
    return output, torch.randint(0, 3, (n, *spatial), generator=generator)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("smoothing", "weight", "ignored"), [*product([0.0, 0.2], [None, [0.5, 2.0, 1.0]], [None, 1, 255])]
)
@pytest.mark.parametrize("spatial", [(), (4,), (3, 2), (2, 2, 2)])
def test_value(spatial, smoothing, weight, ignored, source):
    output, target = sample(spatial=spatial)
    if ignored == 255:
        target.view(-1)[::3] = 255
    expected = F.cross_entropy(
        output,
        target,
        None if weight is None else torch.tensor(weight, dtype=output.dtype),
        ignore_index=-100 if ignored is None else ignored,
        label_smoothing=smoothing,
    )
    keys = {"label_smoothing": smoothing, "weight": weight, "ignore_index": ignored, "source": source}
    assert cross_entropy(SOURCES[source](output), target, **keys).item() == pytest.approx(expected.item(), rel=1e-10)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weight", [None, [0.5, 2.0, 1.0]])
def test_probabilities_of_classes(smoothing, weight):
    output, _ = sample()
    target = output.flip(0).softmax(1)
    weights = None if weight is None else torch.tensor(weight, dtype=output.dtype)
    expected = F.cross_entropy(output, target, weights, label_smoothing=smoothing)
    value = cross_entropy(output, target, label_smoothing=smoothing, weight=weight)
    assert value.item() == pytest.approx(expected.item(), rel=1e-10)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_batch_without_anything_counted_costs_nothing(smoothing):
    output, target = sample()
    loss = cross_entropy(output, torch.full_like(target, 9), label_smoothing=smoothing, ignore_index=9)
    assert loss.item() == 0


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_index_beyond_the_outputs_is_named(smoothing):
    output, target = sample()
    target[2, 0, 0] = 7
    with pytest.raises(
        ConfigError, match="CrossEntropy: the target holds class index 7, but the network has 3 outputs"
    ):
        cross_entropy(output, target, label_smoothing=smoothing)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_probabilities_have_no_class_to_ignore(smoothing):
    output, _ = sample()
    with pytest.raises(ConfigError, match=r"loss.ignore_index: has no meaning"):
        cross_entropy(output, output.softmax(1), label_smoothing=smoothing, ignore_index=1)


def test_outputs_of_a_sigmoid_are_no_classes():
    output, target = sample()
    with pytest.raises(ConfigError, match=r"loss.source: CrossEntropy takes classes.*end the network in a `softmax`"):
        cross_entropy(output.sigmoid(), target, source="sigmoid")
