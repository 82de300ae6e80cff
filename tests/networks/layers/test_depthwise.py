import itertools

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from rmldnn.networks.layers.depthwise import depthwise_conv1d, depthwise_conv2d, depthwise_conv3d

LAYERS = {1: depthwise_conv1d, 2: depthwise_conv2d, 3: depthwise_conv3d}


def convolved(x, kernel, strides, dilation, padding):
    """Keras' depthwise convolution, window by window: x (n, *spatial, c), kernel (*window, c, multiplier)."""
    axes = x.ndim - 2
    reach = [(size - 1) * dilation + 1 for size in kernel.shape[:axes]]
    counts = [-(-extent // strides) for extent in x.shape[1:-1]]
    sides = [(0, 0)] * axes
    if padding == "same":
        totals = [
            max((count - 1) * strides + far - extent, 0)
            for count, far, extent in zip(counts, reach, x.shape[1:-1], strict=True)
        ]
        sides = [(total // 2, total - total // 2) for total in totals]
    elif padding == "causal":
        sides = [(reach[0] - 1, 0)]
    x = numpy.pad(x, [(0, 0), *sides, (0, 0)])
    counts = [(extent - far) // strides + 1 for extent, far in zip(x.shape[1:-1], reach, strict=True)]
    y = numpy.zeros((x.shape[0], *counts, kernel.shape[-2] * kernel.shape[-1]))
    for place in itertools.product(*map(range, counts)):
        for element in itertools.product(*map(range, kernel.shape[:axes])):
            source = tuple(p * strides + e * dilation for p, e in zip(place, element, strict=True))
            parts = x[(slice(None), *source)][:, :, None] * kernel[element]
            y[(slice(None), *place)] += parts.reshape(len(x), -1)
    return y


def random(*shape):
    return numpy.random.default_rng(sum(shape)).standard_normal(shape)


@settings(max_examples=60, deadline=None)
@given(
    axes=st.integers(1, 3),
    extent=st.integers(4, 6),
    size=st.integers(1, 2),
    strides=st.integers(1, 3),
    dilation=st.integers(1, 3),
    multiplier=st.integers(1, 2),
    padding=st.sampled_from(["valid", "same", "causal"]),
    known=st.booleans(),
)
def test_every_channel_has_windows_of_its_own(axes, extent, size, strides, dilation, multiplier, padding, known):
    padding = "same" if padding == "causal" and axes > 1 else padding
    layer = LAYERS[axes](
        (*[extent if known else None] * axes, 2),
        kernel_size=size, strides=strides, dilation_rate=dilation, depth_multiplier=multiplier, padding=padding,
    )  # fmt: skip
    x, kernel, bias = random(2, *[extent] * axes, 2), random(*[size] * axes, 2, multiplier), random(2 * multiplier)
    *_, module = layer.steps
    module.double()
    for variable, values in zip(layer.variables, (kernel, bias), strict=True):
        variable.view(getattr(module, variable.parameter)).copy_(torch.from_numpy(values))
    y = torch.from_numpy(x).movedim(-1, 1)
    for step in layer.steps:
        y = step(y)
    got = y.movedim(1, -1).detach().numpy()
    numpy.testing.assert_allclose(got, convolved(x, kernel, strides, dilation, padding) + bias, atol=1e-12)
    assert layer.shape == tuple(got.shape[1:] if known else (*[None] * axes, got.shape[-1]))


@pytest.mark.parametrize(("axes", "kind"), [(1, nn.Conv1d), (2, nn.Conv2d), (3, nn.Conv3d)])
def test_it_is_torchs_convolution_in_groups(build, axes, kind):
    module = build(f"DepthwiseConv{axes}D", [6] * axes + [4], kernel_size=3, depth_multiplier=2).layer
    assert type(module) is kind
    assert module.groups == 4


def test_padding_may_be_numbers(build):
    assert build("DepthwiseConv2D", [6, 6, 4], kernel_size=3, padding=[1, 0]).output_shapes == [[None, 6, 4, 4]]


def test_keys_of_keras_2_without_effect_are_accepted(build):
    module = build("DepthwiseConv2D", [6, 6, 4], kernel_size=3, groups=1, kernel_initializer="Zeros", filters=None)
    assert module.layer.weight.abs().max() > 0


def test_the_initializer_is_that_of_the_window(build):
    assert build("DepthwiseConv2D", [6, 6, 4], kernel_size=3, depthwise_initializer="Zeros").layer.weight.sum() == 0


def test_a_window_too_large_is_refused(complaint):
    assert "kernel_size [7, 7] does not fit into its input of 6 x 6" in complaint(
        "DepthwiseConv2D", [6, 6, 4], kernel_size=7
    )
