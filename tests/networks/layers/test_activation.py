"""Names and shapes; their numbers are compared with Keras' in test_oracle."""

import pytest
import torch


@pytest.mark.parametrize(
    ("name", "activation"),
    [
        ("ReLU", "relu"), ("LeakyReLU", "leaky_relu"), ("ELU", "elu"), ("Softmax", "softmax"),
        ("Log_Softmax", "log_softmax"), ("Sigmoid", "sigmoid"), ("Tanh", "tanh"), ("Swish", "silu"),
    ],
)  # fmt: skip
def test_the_layer_is_one_operation_of_its_name(build, name, activation):
    module = build(name, [4, 4, 3])
    assert (module.num_operations, module.last_activation) == (2, activation)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, [0, 0, 1, 7]),
        ({"max_value": 6.0}, [0, 0, 1, 6]),
        ({"negative_slope": 0.5}, [-1, 0, 1, 7]),
        ({"threshold": 2.0, "negative_slope": 0.5, "max_value": 6.0}, [-2, -1, -0.5, 6]),
    ],
)
def test_relu_has_three_keys(build, config, expected):
    assert build("ReLU", [4], **config)(torch.tensor([[-2.0, 0, 1, 7]])).tolist() == [expected]


@pytest.mark.parametrize("key", ["alpha", "negative_slope"])
def test_leaky_relu_has_two_names_for_its_slope(build, key):
    assert build("LeakyReLU", [1], **{key: 0.5})(torch.tensor([[-2.0]])).item() == -1


def test_softmax_sums_over_several_axes(build):
    y = build("Softmax", [4, 5, 3], axis=[1, 2])(torch.rand(2, 3, 4, 5))
    torch.testing.assert_close(y.sum((2, 3)), torch.ones(2, 3))


def test_a_bad_axis_is_refused(complaint):
    assert "axis 3 is no axis of its input of 4 x 3" in complaint("Softmax", [4, 3], axis=3)


@pytest.mark.parametrize(
    ("shared_axes", "extents"),
    [(None, (3, 4, 5)), ([1, 2], (3,)), ([1], (3, 1, 5)), ([3], (1, 4, 5)), ([1, 2, 3], (1,))],
)
def test_prelu_shares_slopes(build, shared_axes, extents):
    module = build("PReLU", [4, 5, 3], shared_axes=shared_axes, alpha_initializer={"class_name": "Ones", "config": {}})
    assert tuple(module.layer.weight.shape) == extents
    x = torch.randn(2, 3, 4, 5)
    assert torch.equal(module(x), x)


def test_slopes_of_prelu_are_in_keras_order(build):
    module = build("PReLU", [4, 3])
    alpha = torch.rand(4, 3)
    _, variable, parameter = next(module.variables())
    variable.view(parameter).copy_(alpha)
    torch.testing.assert_close(module(-torch.ones(1, 3, 4)), -alpha.T[None])


def test_prelu_needs_extents_for_its_slopes(complaint):
    assert "add 1 to `shared_axes`" in complaint("PReLU", [None, 3])


def test_a_threshold_makes_the_rest_0(build):
    y = build("ThresholdedReLU", [3], theta=1.0)(torch.tensor([[-2.0, 1.0, 1.5]]))
    assert y.tolist() == [[0, 0, 1.5]]


def test_the_threshold_of_relu_itself_becomes_0(build):
    assert build("ReLU", [1], threshold=2.0)(torch.tensor([[2.0]])).item() == 0
