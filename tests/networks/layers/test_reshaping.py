import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rmldnn.networks.layers.reshaping import flatten, permute, reshape


def test_flatten_keeps_keras_order(build):
    x = torch.rand(2, 4, 5, 3)
    assert torch.equal(build("Flatten", [4, 5, 3])(x.movedim(-1, 1)), x.flatten(1))


@pytest.mark.parametrize("shape", [[1, 1, 7], [4, 5, 1]])
def test_flatten_moves_nothing_that_lies_right(build, shape):
    assert len(build("Flatten", shape).graph.nodes) == 3


def test_flatten_of_a_row_is_nothing(build):
    assert len(build("Flatten", [7]).graph.nodes) == 2


def test_reshape_fills_in_what_is_left(build):
    assert build("Reshape", [4, 6], target_shape=[3, -1]).output_shapes == [[None, 3, 8]]


def test_reshape_of_unknown_extents(build):
    module = build("Reshape", [None, None, 6], target_shape=[-1, 6])
    x = torch.rand(2, 3, 4, 6)
    assert module.output_shapes == [[None, None, 6]]
    assert torch.equal(module(x.movedim(-1, 1)), x.reshape(2, -1, 6).movedim(-1, 1))


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ([5, 5], "target_shape [5, 5] holds 25 elements, its input of 4 x 6 holds 24; change `target_shape`"),
        ([5, -1], "target_shape [5, -1] holds 5 elements times a number, its input of 4 x 6 holds 24"),
        ([-1, -1], "must hold positive numbers, and -1 at most once"),
        ([0, 24], "must hold positive numbers"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(complaint, target, fault):
    assert fault in complaint("Reshape", [4, 6], target_shape=target)


@given(shape=st.lists(st.integers(1, 4), max_size=4), data=st.data())
def test_reshape_is_that_of_channels_last(shape, data):
    elements = torch.tensor(shape, dtype=torch.int64).prod().item()
    divisors = [n for n in range(1, elements + 1) if elements % n == 0]
    first = data.draw(st.sampled_from(divisors))
    second = data.draw(st.sampled_from([n for n in divisors if elements // first % n == 0]))
    result = data.draw(st.permutations([first, second, elements // first // second]))
    layer = reshape(tuple(shape), target_shape=result)
    x = torch.rand(2, *shape)
    y = applied(layer, x)
    assert torch.equal(y, x.reshape(2, *result))
    assert layer.shape == tuple(result)


def applied(layer, x):
    """What a layer makes of a tensor in Keras' order of axes, in that order."""
    y = x.movedim(-1, 1) if x.dim() > 2 else x
    for step in layer.steps:
        y = step(y)
    return y.movedim(1, -1) if y.dim() > 2 else y


def test_reshape_that_keeps_the_channels_moves_nothing(build):
    assert "movedim" not in build("Reshape", [4, 6, 3], target_shape=[-1, 3]).code


def test_reshape_to_single_numbers():
    assert torch.equal(applied(reshape((1, 1), target_shape=[]), torch.ones(2, 1, 1)), torch.ones(2))


def test_flatten_of_single_numbers_is_a_row_of_one():
    assert torch.equal(applied(flatten(()), torch.arange(3.0)), torch.arange(3.0)[:, None])


@pytest.mark.parametrize("shape", [(3,), (3, 4), (3, 4, 5), (3, 4, 5, 2)])
def test_flatten_of_channels_first_puts_them_last(shape):
    x = torch.rand(2, *shape)
    layer = flatten(shape, data_format="channels_first")
    assert torch.equal(applied(layer, x), x.movedim(1, -1).flatten(1))


@pytest.mark.parametrize("dims", [*itertools.permutations([1, 2, 3]), (2, 1), (1,), (4, 2, 1, 3)])
def test_permute_orders_keras_axes(dims):
    x = torch.rand(2, *range(3, 3 + len(dims)))
    layer = permute(tuple(x.shape[1:]), dims=list(dims))
    expected = x.permute(0, *dims)
    assert torch.equal(applied(layer, x), expected)
    assert layer.shape == tuple(expected.shape[1:])


def test_permute_needs_every_axis_once(complaint):
    assert "dims [1, 1] must hold each of [1, 2] once, the axes of its input of 4 x 6" in complaint(
        "Permute", [4, 6], dims=[1, 1]
    )


def test_a_vector_is_repeated_as_places(build):
    module = build("RepeatVector", [3], n=4)
    x = torch.rand(2, 3)
    assert module.output_shapes == [[None, 4, 3]]
    assert torch.equal(module(x), x[:, :, None].repeat(1, 1, 4))


def test_only_vectors_are_repeated(complaint):
    assert "repeats vectors, got an input of 4 x 6; put a Flatten" in complaint("RepeatVector", [4, 6], n=2)
