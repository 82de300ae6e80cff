"""The sources are the registry."""

import pytest

from rmldnn.component import form
from rmldnn.networks import layers


@pytest.mark.parametrize("name", layers.names())
def test_every_entry_is_a_documented_component(name):
    function = layers.find(name).load()
    assert form(function).name == name
    assert function.__doc__


def test_names_are_matched_without_regard_to_case():
    assert layers.find("conv2d") is layers.find("Conv2D")


def test_an_unknown_name_is_not_found():
    assert layers.find("Conv4D") is None


@pytest.mark.parametrize(("name", "merges"), [("Add", True), ("Dense", False), ("InputLayer", False)])
def test_merge_layers_are_told_by_their_positional_parameter(name, merges):
    assert layers.find(name).merges is merges
