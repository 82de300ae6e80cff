from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rmldnn.errors import ConfigError
from rmldnn.losses.bce import bce, bce_with_logits

SOURCES = {
    None: lambda p: p,
    "sigmoid": lambda p: p,
    "softmax": lambda p: p,
    "log_softmax": torch.log,
    "linear": torch.logit,
    "none": torch.logit,
}


def sample(n, shape=(2, 3)):
    generator = torch.Generator().manual_seed(n)
    return tuple(torch.rand(n, *shape, generator=generator, dtype=torch.float64) * 0.9 + 0.05 for _ in range(2))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("shape", [(1,), (4,), (1, 5), (2, 3, 4)])
def test_value(shape, source):
    probability, target = sample(5, shape)
    p, t = probability.numpy(), target.numpy()
    expected = -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))
    assert bce(SOURCES[source](probability), target, source=source).item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("source", SOURCES)
def test_gradient(source):
    probability, target = sample(3)
    output = SOURCES[source](probability).detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: bce(x, target, source=source), output)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers(1, 9), source=st.sampled_from(list(SOURCES)), data=st.data())
def test_split_is_harmless(assert_split_is_harmless, n, source, data):
    probability, target = sample(n)
    cuts = data.draw(st.lists(st.integers(0, n), max_size=4))
    assert_split_is_harmless(partial(bce, source=source), SOURCES[source](probability), target, cuts)


def test_certain_and_wrong_is_cut_off():
    assert bce(torch.tensor([[0.0]]), torch.tensor([[1.0]])).item() == 100


def test_class_indices_for_one_output_are_probabilities():
    output = torch.tensor([[0.25], [0.75]])
    assert bce(output, torch.tensor([0, 1])).item() == pytest.approx(-np.log(0.75))


def test_class_indices_for_several_outputs_are_one_hot():
    output = torch.full((2, 3), 0.5)
    assert bce(output, torch.tensor([0, 2])).item() == pytest.approx(np.log(2))


def test_class_index_without_an_output_is_named():
    with pytest.raises(ConfigError, match="class index 3, but the network has 3 outputs"):
        bce(torch.full((2, 3), 0.5), torch.tensor([0, 3]))


def test_class_index_above_one_needs_more_than_one_output():
    with pytest.raises(ConfigError, match=r'targets from 0 to 1.*"values": \[0, 255\].*one output for each class'):
        bce(torch.full((2, 1), 0.5), torch.tensor([0, 2]))


def test_outputs_that_are_no_probabilities():
    with pytest.raises(ConfigError, match="end the network in a `sigmoid`"):
        bce(torch.tensor([[3.0]]), torch.tensor([[1.0]]))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("pos_weight", [None, [3.0, 0.5]])
@pytest.mark.parametrize("spatial", [(), (5,), (3, 4), (2, 2, 2)])
def test_value_of_scores(spatial, pos_weight, source):
    probability, target = sample(5, (2, *spatial))
    p, t = probability.numpy(), target.numpy()
    yes = np.ones(2) if pos_weight is None else np.array(pos_weight)
    yes = yes.reshape(2, *[1] * len(spatial))
    expected = -np.mean(yes * t * np.log(p) + (1 - t) * np.log(1 - p))
    output = torch.logit(probability) if source is None else SOURCES[source](probability)
    value = bce_with_logits(output, target, pos_weight=pos_weight, source=source).item()
    assert value == pytest.approx(expected, rel=1e-9)


def test_scores_of_one_output_with_class_indices():
    output = torch.tensor([[2.0], [-1.0]])
    expected = torch.nn.functional.softplus(torch.tensor([-2.0, -1.0])).mean()
    assert bce_with_logits(output, torch.tensor([1, 0])).item() == pytest.approx(expected.item())


def test_factor_of_wrong_length():
    with pytest.raises(ConfigError, match=r"loss.pos_weight: has 1 number, but the network has 3 outputs"):
        bce_with_logits(torch.zeros(2, 3), torch.zeros(2, 3), pos_weight=[1.0])


def test_improbable_no_of_logarithms_keeps_its_digits():
    output = torch.tensor([[-1e-9]])
    assert bce(output, torch.tensor([[0.0]]), source="log_softmax").item() == pytest.approx(-np.log(1e-9), rel=1e-5)
