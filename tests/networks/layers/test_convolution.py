import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from rmldnn.networks.layers.convolution import conv1d, conv2d, conv3d


@pytest.mark.parametrize(("axes", "kind"), [(1, nn.Conv1d), (2, nn.Conv2d), (3, nn.Conv3d)])
def test_a_convolution_is_torchs_own_module(build, axes, kind):
    assert type(build(f"Conv{axes}D", [6] * axes + [4], filters=3, kernel_size=3).layer) is kind


def test_symmetric_same_padding_is_the_modules(build):
    module = build("Conv2D", [6, 6, 4], filters=3, kernel_size=[3, 5], padding="same")
    assert module.layer.padding == (1, 2)
    assert len(module.graph.nodes) == 3


def test_uneven_same_padding_goes_last(build):
    module = build("Conv2D", [6, 6, 4], filters=3, kernel_size=3, strides=2, padding="same")
    x = torch.rand(1, 4, 6, 6)
    expected = functional.conv2d(functional.pad(x, [0, 1, 0, 1]), module.layer.weight, module.layer.bias, 2)
    torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize(("padding", "sides"), [(2, (2, 2)), ([1, 2], (1, 2)), ("VALID", (0, 0))])
def test_padding_may_be_numbers(build, padding, sides):
    assert build("Conv2D", [6, 6, 4], filters=3, kernel_size=3, padding=padding).layer.padding == sides


def test_causal_padding_sees_no_future(build):
    module = build("Conv1D", [8, 2], filters=3, kernel_size=3, dilation_rate=2, padding="causal")
    x = torch.rand(1, 2, 8)
    later = x.clone()
    later[..., 5:] = 0
    torch.testing.assert_close(module(x)[..., :5], module(later)[..., :5])


def test_groups_split_the_channels(build):
    assert build("Conv2D", [6, 6, 4], filters=6, kernel_size=1, groups=2).layer.weight.shape == (6, 2, 1, 1)


def test_the_bias_may_be_left_away(build):
    assert build("Conv2D", [6, 6, 4], filters=6, kernel_size=1, use_bias=False).layer.bias is None


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({"kernel_size": 7}, "kernel_size [7, 7] does not fit into its input of 6 x 6; make kernel_size smaller or"),
        ({"kernel_size": 4, "dilation_rate": 2}, "kernel_size [4, 4] with dilation_rate [2, 2] does not fit"),
        ({"kernel_size": [3, 3, 3]}, "`kernel_size` must be a number or a list of 2, got [3, 3, 3]"),
        ({"groups": 3}, "groups 3 does not divide the channels of its input, 4; change `groups` to a divisor"),
        ({"groups": 2, "filters": 3}, "groups 2 does not divide `filters`, 3"),
        ({"padding": "sam"}, 'unknown padding "sam"; did you mean `same`?; or a number for each axis'),
        ({"padding": "causal"}, 'unknown padding "causal"'),
        ({"padding": [1]}, "`padding` must be a number or a list of 2, got [1]"),
        ({"activation": "rellu"}, "unknown activation `rellu`; did you mean `relu`?"),
        ({"kernel_initializer": "GlorotUnifrom"}, "did you mean `GlorotUniform`?"),
    ],
)
def test_what_does_not_fit_is_refused(complaint, config, fault):
    text = complaint("Conv2D", [6, 6, 4], **{"filters": 4, "kernel_size": 3, **config})
    assert text.startswith("layer (Conv2D): ")
    assert fault in text


def test_an_input_of_another_rank_is_refused(complaint):
    assert "needs 2 spatial axes and channels, got an input of 6 x 4" in complaint(
        "Conv2D", [6, 4], filters=4, kernel_size=3
    )


def test_channels_must_be_known(complaint):
    assert "channels of its input have no fixed number" in complaint("Conv2D", [6, 6, None], filters=4, kernel_size=3)


@settings(max_examples=60, deadline=None)
@given(
    extents=st.lists(st.integers(5, 9), min_size=1, max_size=3),
    size=st.integers(1, 3),
    strides=st.integers(1, 3),
    dilation=st.integers(1, 2),
    padding=st.sampled_from(["valid", "SAME", "Causal", 1]),
)
def test_known_and_unknown_extents_give_the_inferred_shape(extents, size, strides, dilation, padding):
    padding = "same" if padding == "Causal" and len(extents) > 1 else padding
    convolution = (conv1d, conv2d, conv3d)[len(extents) - 1]
    config = {"filters": 4, "kernel_size": size, "strides": strides, "dilation_rate": dilation, "padding": padding}
    known = convolution((*extents, 2), **config)
    for layer in (known, convolution((*[None] * len(extents), 2), **config)):
        y = torch.rand(1, 2, *extents)
        for step in layer.steps:
            y = step(y)
        assert tuple(y.movedim(1, -1).shape[1:]) == known.shape
