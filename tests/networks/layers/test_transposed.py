import itertools

import numpy
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from rmldnn.networks.layers.transposed import conv1d_transpose, conv2d_transpose, conv3d_transpose

LAYERS = {1: conv1d_transpose, 2: conv2d_transpose, 3: conv3d_transpose}


def length(extent, size, strides, dilation, padding, output_padding):
    """The extent of the result as Keras 3 documents it."""
    reach = (size - 1) * dilation + 1
    if output_padding is None:
        return extent * strides + (max(reach - strides, 0) if padding == "valid" else 0)
    return (extent - 1) * strides + (reach if padding == "valid" else reach % 2) + output_padding


def spread(x, kernel, strides, dilation, padding, target):
    """Every place adds its window: x (n, *spatial, c), kernel (*window, filters, c); a convolution's transpose."""
    axes = x.ndim - 2
    y = numpy.zeros((len(x), *[target] * axes, kernel.shape[-2]))
    reach = (kernel.shape[0] - 1) * dilation + 1
    total = max((x.shape[1] - 1) * strides + reach - target, 0) if padding == "same" else 0
    for place in itertools.product(*map(range, x.shape[1:-1])):
        for element in itertools.product(*map(range, kernel.shape[:axes])):
            goal = [p * strides + e * dilation - total // 2 for p, e in zip(place, element, strict=True)]
            if all(0 <= at < target for at in goal):
                y[(slice(None), *goal)] += x[(slice(None), *place)] @ kernel[element].T
    return y


def random(*shape):
    return numpy.random.default_rng(sum(shape)).standard_normal(shape)


@settings(max_examples=100, deadline=None)
@given(
    axes=st.integers(1, 3),
    extent=st.integers(1, 4),
    size=st.integers(1, 4),
    strides=st.integers(1, 4),
    dilation=st.integers(1, 2),
    padding=st.sampled_from(["valid", "same"]),
    output_padding=st.none() | st.integers(0, 3),
    known=st.booleans(),
)
def test_every_place_spreads_over_a_window(axes, extent, size, strides, dilation, padding, output_padding, known):
    reach = (size - 1) * dilation + 1
    assume(output_padding is None or output_padding < strides)
    assume(output_padding is None or padding == "valid" or reach % 2 + output_padding > 0)
    layer = LAYERS[axes](
        (*[extent if known else None] * axes, 2), filters=3,
        kernel_size=size, strides=strides, dilation_rate=dilation, padding=padding, output_padding=output_padding,
    )  # fmt: skip
    x, kernel, bias = random(2, *[extent] * axes, 2), random(*[size] * axes, 3, 2), random(3)
    module = layer.steps[0].double()
    for variable, values in zip(layer.variables, (kernel, bias), strict=True):
        variable.view(getattr(module, variable.parameter)).copy_(torch.from_numpy(values))
    y = torch.from_numpy(x).movedim(-1, 1)
    for step in layer.steps:
        y = step(y)
    target = length(extent, size, strides, dilation, padding, output_padding)
    expected = spread(x, kernel, strides, dilation, padding, target) + bias
    numpy.testing.assert_allclose(y.movedim(1, -1).detach().numpy(), expected, atol=1e-12)
    assert layer.shape == (*[target if known else None] * axes, 3)


@pytest.mark.parametrize(("axes", "kind"), [(1, nn.ConvTranspose1d), (2, nn.ConvTranspose2d), (3, nn.ConvTranspose3d)])
def test_it_is_torchs_own_module(build, axes, kind):
    module = build(f"Conv{axes}DTranspose", [5] * axes + [4], filters=3, kernel_size=4, strides=2, padding="same")
    assert type(module.layer) is kind
    assert len(module.graph.nodes) == 3


def test_padding_may_be_written_in_capitals(build):
    module = build("Conv2DTranspose", [5, 5, 4], filters=3, kernel_size=3, strides=2, padding="SAME")
    assert module.output_shapes == [[None, 10, 10, 3]]


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({"output_padding": 2, "strides": 2}, "output_padding 2 must be less than strides, 2; make it smaller"),
        ({"output_padding": 0, "kernel_size": 4, "padding": "same"}, "make `output_padding` 1 or more, or null"),
        ({"output_padding": [0]}, "`output_padding` must be a number or a list of 2, got [0]"),
        ({"padding": "causal"}, 'unknown padding "causal"'),
        ({"groups": 2}, "groups: must be `1`, got 2"),
    ],
)
def test_what_does_not_fit_is_refused(complaint, config, fault):
    assert fault in complaint("Conv2DTranspose", [5, 5, 4], **{"filters": 3, "kernel_size": 3, **config})
