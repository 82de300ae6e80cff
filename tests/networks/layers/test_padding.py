import pytest
import torch
from torch.nn import functional

SIDES = [
    (1, 1, (1, 1)),
    (1, [1, 2], (1, 2)),
    (1, [[0, 2]], (0, 2)),
    (2, 2, (2, 2, 2, 2)),
    (2, [1, 2], (2, 2, 1, 1)),
    (2, [[0, 1], [2, 0]], (2, 0, 0, 1)),
    (2, [1, [0, 2]], (0, 2, 1, 1)),
    (3, [1, 0, 2], (2, 2, 0, 0, 1, 1)),
    (3, [[1, 0], [0, 2], [1, 1]], (1, 1, 0, 2, 1, 0)),
]


@pytest.mark.parametrize(("axes", "padding", "flat"), SIDES)
def test_zeros_go_where_keras_puts_them(build, axes, padding, flat):
    x = torch.rand(2, 3, *range(5, 5 + axes))
    module = build(f"ZeroPadding{axes}D", [*x.shape[2:], 3], padding=padding)
    y = module(x)
    assert torch.equal(y, functional.pad(x, flat))
    assert module.output_shapes == [[None, *y.shape[2:], 3]]


@pytest.mark.parametrize(("axes", "cropping", "flat"), SIDES)
def test_margins_go_where_keras_cuts_them(build, axes, cropping, flat):
    x = torch.rand(2, 3, *range(5, 5 + axes))
    module = build(f"Cropping{axes}D", [*x.shape[2:], 3], cropping=cropping)
    y = module(x)
    assert torch.equal(y, functional.pad(x, [-amount for amount in flat]))
    assert module.output_shapes == [[None, *y.shape[2:], 3]]


@pytest.mark.parametrize(("name", "key"), [("ZeroPadding2D", "padding"), ("Cropping2D", "cropping")])
def test_unknown_extents_stay_so(build, name, key):
    assert build(name, [None, 6, 3], **{key: 1}).output_shapes[0][1] is None


@pytest.mark.parametrize(("name", "key"), [("ZeroPadding2D", "padding"), ("Cropping2D", "cropping")])
def test_nothing_costs_nothing(build, name, key):
    assert len(build(name, [6, 6, 3], **{key: [[0, 0], [0, 0]]}).graph.nodes) == 2


@pytest.mark.parametrize("cropping", [3, [[4, 2], [0, 0]]])
def test_cropping_leaves_something(complaint, cropping):
    assert "leaves nothing of its input of 6 x 6 x 3; make `cropping` smaller" in complaint(
        "Cropping2D", [6, 6, 3], cropping=cropping
    )


@pytest.mark.parametrize("padding", [[1], [1, 2, 3], [[1, 2, 3], [1, 2]], [[1, 2]]])
def test_lists_of_other_lengths_are_refused(complaint, padding):
    assert "`padding` must be a number, or a list of 2 numbers or pairs, got" in complaint(
        "ZeroPadding2D", [6, 6, 3], padding=padding
    )


def test_padding_is_not_negative(complaint):
    assert "padding" in complaint("ZeroPadding2D", [6, 6, 3], padding=-1)
