import pytest
import torch


def test_dense_acts_on_keras_last_axis(build):
    module = build("Dense", [4, 5, 6], units=2)
    x = torch.rand(3, 6, 4, 5)
    expected = torch.einsum("nchw,kc->nkhw", x, module.layer.weight) + module.layer.bias[:, None, None]
    torch.testing.assert_close(module(x), expected)


def test_dense_may_have_no_bias(build):
    assert build("Dense", [4], units=2, use_bias=False).layer.bias is None


def test_dense_needs_a_fixed_number_of_features(complaint):
    assert "the last axis of its input of ? has no fixed extent" in complaint("Dense", [None], units=2)


@pytest.mark.parametrize("axis", [1, -1])
def test_the_axis_of_an_activation_is_the_channels(build, axis):
    module = build("Activation", [4, 4, 3], activation="log_softmax", axis=axis)
    x = torch.rand(2, 3, 4, 4)
    assert torch.equal(module(x), torch.log_softmax(x, 1))


def test_another_axis_is_refused(complaint):
    assert "must be one of `-1`, `1`, got 2" in complaint("Activation", [4, 4, 3], activation="softmax", axis=2)


@pytest.mark.parametrize("shape", [[0, 3], [2.5]])
def test_an_input_has_positive_extents(complaint, shape):
    assert "batch_input_shape" in complaint("Flatten", shape)


def test_an_activation_may_be_a_layer(build):
    module = build("Dense", [4, 3], units=2, activation={"class_name": "Softmax", "config": {"axis": 1}})
    torch.testing.assert_close(module(torch.rand(1, 3, 4)).sum(2), torch.ones(1, 2))
    assert module.last_activation == "softmax"


def test_glu_halves_the_channels(build):
    module = build("Activation", [5, 4], activation="glu")
    x = torch.rand(1, 4, 5)
    torch.testing.assert_close(module(x), x[:, :2] * torch.sigmoid(x[:, 2:]))
    assert module.output_shapes == [[None, 5, 2]]


def test_glu_needs_an_even_number_of_channels(complaint):
    assert "halves the channels of its input, 3" in complaint("Activation", [3], activation="glu")


def test_identity(build):
    x = torch.rand(1, 3)
    assert build("Identity", [3])(x) is x
