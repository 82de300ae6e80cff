"""Activations by name; their numbers are compared with Keras' in test_oracle."""

import pytest
import torch

from rmldnn.errors import NetworkError
from rmldnn.networks.activations import ALIASES, STEPS, find


@pytest.mark.parametrize("name", sorted(STEPS))
def test_shapes_stay(name):
    x = torch.randn(2, 3, 4)
    assert find(name).step(x).shape == x.shape


@pytest.mark.parametrize("name", [None, "linear", "Linear"])
def test_linear_does_nothing(name):
    assert find(name).step is None


@pytest.mark.parametrize("alias", sorted(ALIASES))
def test_aliases_mean_the_same(alias):
    assert find(alias) == find(ALIASES[alias])


def test_names_are_matched_without_regard_to_case():
    assert find("ReLU").name == "relu"


def test_softmax_works_along_the_channels():
    torch.testing.assert_close(find("softmax").step(torch.randn(2, 3, 4, 4)).sum(1), torch.ones(2, 4, 4))


def test_softplus_is_exact_in_float64():
    x = torch.tensor([21.0], dtype=torch.float64)
    assert find("softplus").step(x) > x


def test_an_unknown_name_is_refused_with_a_near_miss():
    with pytest.raises(NetworkError, match=r"unknown activation `rellu`; did you mean `relu`\?"):
        find("rellu")
