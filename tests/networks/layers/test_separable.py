import pytest
import torch
from torch.nn import functional


@pytest.mark.parametrize(("axes", "convolve"), [(1, functional.conv1d), (2, functional.conv2d), (3, functional.conv3d)])
def test_it_is_a_depthwise_convolution_and_one_of_single_places(build, axes, convolve):
    module = build(f"SeparableConv{axes}D", [6] * axes + [4], filters=3, kernel_size=2, depth_multiplier=2).double()
    x = torch.rand(2, 4, *[6] * axes, dtype=torch.float64)
    parts = dict(module.named_parameters())
    between = convolve(x, parts["layer.depthwise.weight"], groups=4)
    expected = convolve(between, parts["layer.pointwise.weight"], parts["layer.pointwise.bias"])
    torch.testing.assert_close(module(x), expected)
    assert module.output_shapes == [[None, *[5] * axes, 3]]


def test_variables_are_in_the_order_of_keras(build):
    module = build("SeparableConv2D", [6, 6, 4], filters=3, kernel_size=[2, 5], depth_multiplier=2)
    assert [
        (variable.name, tuple(variable.view(parameter).shape)) for _, variable, parameter in module.variables()
    ] == [
        ("depthwise_kernel", (2, 5, 4, 2)),
        ("pointwise_kernel", (1, 1, 8, 3)),
        ("bias", (3,)),
    ]


def test_it_counts_as_one_operation(build):
    assert build("SeparableConv2D", [6, 6, 4], filters=3, kernel_size=2).num_operations == 2


def test_each_part_has_its_initializer(build):
    module = build(
        "SeparableConv2D", [6, 6, 4], filters=3, kernel_size=2,
        depthwise_initializer="Zeros", pointwise_initializer="Ones", bias_initializer="Zeros",
    )  # fmt: skip
    assert [float(parameter.detach().mean()) for parameter in module.parameters()] == [0, 1, 0]


def test_the_bias_may_be_left_away(build):
    assert len(list(build("SeparableConv2D", [6, 6, 4], filters=3, kernel_size=2, use_bias=False).parameters())) == 2


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("padding", ["same", "valid", 1])
def test_unknown_extents_come_out_as_inferred_for_known_ones(build, strides, padding):
    config = {"filters": 3, "kernel_size": 3, "strides": strides, "padding": padding}
    known = build("SeparableConv2D", [7, 8, 4], **config)
    y = build("SeparableConv2D", [None, None, 4], **config)(torch.rand(1, 4, 7, 8))
    assert [None, *y.movedim(1, -1).shape[1:]] == known.output_shapes[0]


def test_causal_padding_sees_no_future(build):
    module = build("SeparableConv1D", [8, 2], filters=3, kernel_size=3, dilation_rate=2, padding="causal")
    x = torch.rand(1, 2, 8)
    later = x.clone()
    later[..., 5:] = 0
    torch.testing.assert_close(module(x)[..., :5], module(later)[..., :5])


def test_keys_of_keras_2_without_effect_are_accepted(build):
    module = build("SeparableConv2D", [6, 6, 4], filters=3, kernel_size=2, groups=1, kernel_initializer="Zeros")
    assert all(parameter.abs().max() > 0 for parameter in module.parameters())
