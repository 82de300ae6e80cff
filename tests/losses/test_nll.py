import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rmldnn.errors import ConfigError
from rmldnn.losses.nll import nll
from rmldnn.losses.reduction import alone

SETTINGS = [
    {},
    {"weight": [0.5, 2.0, 1.0]},
    {"ignore_index": 1},
    {"weight": [0.5, 2.0, 1.0], "ignore_index": 2},
    {"ignore_index": 255},
]


def sample(n, spatial=(), seed=0):
    generator = torch.Generator().manual_seed(seed)
    output = torch.randn(n, 3, *spatial, generator=generator, dtype=torch.float64).log_softmax(1)
    return output, torch.randint(0, 3, (n, *spatial), generator=generator)


def formula(output, target, weight=None, ignore_index=None):
    output, target = output.numpy(), target.numpy()
    weight = np.ones(output.shape[1]) if weight is None else np.array(weight)
    above = below = 0.0
    for place in np.ndindex(target.shape):
        index = target[place]
        if index != ignore_index:
            above -= weight[index] * output[(place[0], index, *place[1:])]
            below += weight[index]
    return above / below


@pytest.mark.parametrize("keys", SETTINGS)
@pytest.mark.parametrize("spatial", [(), (4,), (3, 2), (2, 2, 2)])
def test_value(spatial, keys):
    output, target = sample(5, spatial)
    if keys.get("ignore_index") == 255:
        target.view(-1)[::3] = 255
    assert nll(output, target, **keys).item() == pytest.approx(formula(output, target, **keys), rel=1e-12)


@pytest.mark.parametrize("keys", SETTINGS)
def test_gradient(keys):
    output, target = sample(4, (3,))
    assert torch.autograd.gradcheck(lambda x: nll(x, target, **keys), output.requires_grad_())


@pytest.mark.parametrize("keys", SETTINGS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers(1, 9), data=st.data())
def test_split_is_harmless(keys, assert_split_is_harmless, n, data):
    output, target = sample(n + 3, (2,), seed=n)
    target[0, 0] = 0  # something that no setting ignores
    cuts = data.draw(st.lists(st.integers(0, len(output)), max_size=4))
    assert_split_is_harmless(partial(nll, **keys), output, target, cuts)


def test_mask_with_a_channel_is_class_indices():
    output, target = sample(4, (3, 2))
    assert torch.equal(nll(output, target.unsqueeze(1).float()), nll(output, target))


def test_batch_without_anything_counted_costs_nothing():
    output, target = sample(4)
    output.requires_grad_()
    loss = nll(output, torch.full_like(target, 1), ignore_index=1)
    loss.backward()
    assert loss.item() == 0
    assert not output.grad.any()


def test_index_beyond_the_outputs_is_named():
    output, target = sample(4)
    target[2] = 7
    with pytest.raises(ConfigError, match="class index 7, but the network has 3 outputs"):
        nll(output, target)


def test_index_beyond_the_outputs_in_a_parallel_run():
    output, target = sample(4, (2,))
    target[2, 0] = 7
    with pytest.raises(ConfigError, match="class index 7"):
        nll(output, target, lambda sums: sums, weight=[1.0, 1.0, 1.0])


def test_fractions_are_no_class_indices():
    output, target = sample(4, (2, 2))
    with pytest.raises(ConfigError, match=r"holds fractions such as \d\.5"):
        nll(output, target.unsqueeze(1) + 0.5)


def test_masks_read_as_fractions_of_255_and_scaled_back_are_class_indices():
    output = torch.randn(1, 256, 256).log_softmax(1)
    target = torch.arange(256).unsqueeze(0)
    assert torch.equal(nll(output, target / 255 / 0.003921568), nll(output, target))


def test_remedy_for_masks_that_were_not_scaled_back():
    output, target = sample(4, (2, 2))
    with pytest.raises(ConfigError, match=r'"target_transforms": \[\{"normalize": \{"std": 0.003921568\}\}\]'):
        nll(output, (target + 1) / 255)


def test_shapes_are_named():
    output, _ = sample(4, (8, 8))
    with pytest.raises(ConfigError, match=r"shape \(4, 8, 8\).*shape \(4, 3, 8, 8\).*shape \(4, 16, 16\)"):
        nll(output, torch.zeros(4, 16, 16, dtype=torch.int64))


@pytest.mark.parametrize("total", [alone, lambda sums: sums], ids=["one process", "several"])
def test_batch_of_classes_without_weight_costs_nothing(total):
    output, target = sample(4)
    loss = nll(output.requires_grad_(), torch.full_like(target, 1), total, weight=[1.0, 0.0, 2.0])
    loss.backward()
    assert loss.item() == 0
    assert not output.grad.any()


@pytest.mark.parametrize("total", [alone, lambda sums: sums], ids=["one process", "several"])
def test_tiny_weights_weigh_like_others(total):
    output, target = sample(6)
    expected = nll(output.float(), target)
    assert nll(output.float(), target, total, weight=[1e-39] * 3).item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("total", [alone, lambda sums: sums], ids=["one process", "several"])
def test_weights_of_nothing_but_zeros(total):
    with pytest.raises(ConfigError, match=r"loss.weight: has only zeros"):
        nll(*sample(4), total, weight=[0.0, 0.0, 0.0])


def test_weight_of_wrong_length():
    with pytest.raises(ConfigError, match=r"loss.weight: has 2 numbers, but the network has 3 outputs"):
        nll(*sample(4), weight=[1.0, 2.0])


def test_weight_first_used_in_evaluation_serves_training():
    output, target = sample(4)
    with torch.inference_mode():
        nll(output, target, weight=[1.0, 2.0, 5.0])
    nll(output.requires_grad_(), target, weight=[1.0, 2.0, 5.0]).backward()
    assert output.grad.any()


def probabilities(n, spatial=(), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 3, *spatial, generator=generator, dtype=torch.float64).softmax(1)


@pytest.mark.parametrize("weight", [None, [0.5, 2.0, 1.0]])
@pytest.mark.parametrize("spatial", [(), (4,), (3, 2)])
def test_probabilities_of_classes_give_the_cross_entropy_of_torch(spatial, weight):
    output, _ = sample(5, spatial)
    target = probabilities(5, spatial)
    weights = None if weight is None else torch.tensor(weight, dtype=output.dtype)
    expected = torch.nn.functional.cross_entropy(output, target, weights)
    assert nll(output, target, weight=weight).item() == pytest.approx(expected.item(), rel=1e-12)


def test_certain_probabilities_are_class_indices():
    output, target = sample(5, (4,))
    certain = torch.nn.functional.one_hot(target, 3).movedim(-1, 1).double()
    assert nll(output, certain).item() == pytest.approx(nll(output, target).item(), rel=1e-12)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers(1, 6), data=st.data())
def test_split_of_probabilities_is_harmless(assert_split_is_harmless, n, data):
    cuts = data.draw(st.lists(st.integers(0, n), max_size=3))
    output, _ = sample(n, (2,), seed=n)
    assert_split_is_harmless(partial(nll, weight=[1.0, 2.0, 0.5]), output, probabilities(n, (2,)), cuts)


@pytest.mark.parametrize(
    ("indices", "remedy"),
    [
        ([0, 255], r'"values": \[0, 255\] in `data`, .*loss\.ignore_index'),
        ([0, 128, 255], r'"values": \[0, 128, 255\] in `data`, '),
        ([0, 1, 2, 3], r"classes 0 to 2\); give its last layer one output for each class of the data, or name"),
        ([0, 1, 255], r'"values": \[0, 1, 255\] in `data`, '),
        ([1, 255], r"classes 0 to 2\); give its last layer"),
        ([-1, 0], r"class index -1, .*classes 0 to 2\); give its last layer"),
    ],
)
def test_values_that_stand_for_classes_are_told_from_further_classes(indices, remedy):
    output, _ = sample(len(indices))
    with pytest.raises(ConfigError, match=remedy.replace("] in", "]` in")):
        nll(output, torch.tensor(indices))


def test_probabilities_have_no_class_to_ignore():
    output, _ = sample(4)
    with pytest.raises(ConfigError, match=r"loss.ignore_index: has no meaning .*loss.weight"):
        nll(output, probabilities(4), ignore_index=1)


@pytest.mark.parametrize("keys", SETTINGS)
@pytest.mark.parametrize(
    ("source", "given"),
    [("softmax", torch.exp), ("linear", lambda x: x + 7), ("none", lambda x: x - 7), ("log_softmax", lambda x: x)],
)
def test_source(source, given, keys):
    output, target = sample(5, (3,))
    expected = nll(output, target, **keys).item()
    assert nll(given(output), target, source=source, **keys).item() == pytest.approx(expected, rel=1e-10)


def test_probability_of_zero_is_cut_off_and_learns():
    output = torch.tensor([[0.0, 1.0]], requires_grad=True)
    loss = nll(output, torch.tensor([0]), source="softmax")
    loss.backward()
    assert loss.item() == pytest.approx(-math.log(1e-12), rel=1e-5)
    assert output.grad[0, 0] < 0


def test_outputs_of_a_sigmoid_are_no_classes():
    output, target = sample(4)
    with pytest.raises(ConfigError, match=r"loss.source: NLL takes classes.*end the network in a `softmax`"):
        nll(output.exp(), target, source="sigmoid")
