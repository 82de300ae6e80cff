from __future__ import annotations

import pytest

from rmldnn.output.rows import component_rows, label, show


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("learning_rate", "Learning rate"),
        ("amsgrad", "AMSGrad"),
        ("beta1", "Beta1"),
        ("eps", "Eps"),
        ("ignore_index", "Ignore index"),
        ("lr_decay", "LR decay"),
    ],
)
def test_labels_are_those_of_the_original(key, text):
    assert label(key) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "1"),
        (False, "0"),
        (None, "None"),
        (0.01, "0.01"),
        (1e-8, "1e-08"),
        (0.003921568, "0.00392157"),
        (0.0, "0"),
        (21432000, "21432000"),
        ([28, 28], "[28, 28]"),
        ((0.5, 1.0), "[0.5, 1]"),
        ({"mean": 0, "std": 0.003921568}, "mean: 0, std: 0.00392157"),
        ("images", "images"),
    ],
)
def test_values_look_as_the_original_prints_them(value, text):
    assert show(value) == text


def test_a_component_is_described_in_the_order_of_its_values():
    assert component_rows("Type", "SGD", {"momentum": 0.5, "learning_rate": 0.1}) == [
        ("Type", "SGD"),
        ("Momentum", 0.5),
        ("Learning rate", 0.1),
    ]
