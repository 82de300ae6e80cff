import pytest
import torch


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
