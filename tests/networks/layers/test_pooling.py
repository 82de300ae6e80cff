import itertools

import pytest
import torch
from torch import nn


def test_strides_are_the_window_if_not_given(build):
    module = build("MaxPooling2D", [6, 6, 4], pool_size=[2, 3])
    assert module.output_shapes == [[None, 3, 2, 4]]
    assert type(module.layer) is nn.MaxPool2d


def test_even_same_padding_is_the_modules(build):
    assert build("AveragePooling2D", [5, 5, 1], pool_size=3, strides=2, padding="same").layer.padding == (1, 1)


def test_padding_counts_for_nothing_in_the_mean(build):
    for extent in (4, 5, 6):
        module = build("AveragePooling1D", [extent, 1], pool_size=2, strides=1, padding="same")
        torch.testing.assert_close(module(torch.ones(1, 1, extent)), torch.ones(1, 1, extent))


def test_padding_is_never_the_largest(build):
    module = build("MaxPooling1D", [4, 1], pool_size=3, strides=2, padding="same")
    assert module(-torch.ones(1, 1, 4)).tolist() == [[[-1, -1]]]


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(("name", "function"), [("Average", torch.mean), ("Max", torch.amax)])
def test_global_pooling_leaves_channels(build, axes, name, function):
    x = torch.rand(2, 3, *[4] * axes)
    module = build(f"Global{name}Pooling{axes}D", [4] * axes + [3])
    assert torch.equal(module(x), function(x, dim=tuple(range(2, 2 + axes))))


def test_global_pooling_may_keep_its_axes(build):
    assert build("GlobalAveragePooling2D", [4, 5, 3], keepdims=True).output_shapes == [[None, 1, 1, 3]]


def test_a_window_too_large_is_refused(complaint):
    assert "pool_size [5, 5] does not fit into its input of 4 x 4" in complaint("MaxPooling2D", [4, 4, 1], pool_size=5)


def test_padding_has_two_words(complaint):
    assert 'unknown padding "sane"; did you mean `same`?' in complaint("MaxPooling2D", [4, 4, 1], padding="sane")


def test_padding_may_be_written_in_capitals(build):
    assert build("MaxPooling2D", [5, 5, 1], padding="SAME").output_shapes == [[None, 3, 3, 1]]


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(("name", "reduce"), [("Average", torch.mean), ("Max", torch.amax)])
def test_adaptive_pooling_takes_equal_parts(build, axes, name, reduce):
    x = torch.rand(1, 1, *[7] * axes)
    parts = [slice(0, 3), slice(2, 5), slice(4, 7)]  # floor(7 i / 3) to ceil(7 (i + 1) / 3)
    expected = [reduce(x[(0, 0, *part)]) for part in itertools.product(parts, repeat=axes)]
    y = build(f"Adaptive{name}Pooling{axes}D", [7] * axes + [1], output_size=3)(x)
    torch.testing.assert_close(y, torch.stack(expected).reshape(1, 1, *[3] * axes))


def test_adaptive_pooling_of_unknown_extents(build):
    assert build("AdaptiveMaxPooling2D", [None, None, 4], output_size=[3, 2]).output_shapes == [[None, 3, 2, 4]]


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(("name", "reduce"), [("Average", torch.mean), ("Max", torch.amax)])
def test_same_padding_of_any_extent_window_and_stride_sees_what_keras_windows_see(build, axes, name, reduce):
    for extent, size, stride in itertools.product(range(1, 7), range(1, 5), range(1, 5)):
        module = build(f"{name}Pooling{axes}D", [extent] * axes + [1], pool_size=size, strides=stride, padding="same")
        x = torch.rand(1, 1, *[extent] * axes)
        count = -(-extent // stride)
        low = max((count - 1) * stride + size - extent, 0) // 2
        windows = [slice(max(i * stride - low, 0), i * stride - low + size) for i in range(count)]
        expected = [reduce(x[(0, 0, *window)]) for window in itertools.product(windows, repeat=axes)]
        torch.testing.assert_close(module(x), torch.stack(expected).reshape(1, 1, *[count] * axes))
