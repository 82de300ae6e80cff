import pytest
import torch

A, B, C = (torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(seed)) for seed in range(3))
SHAPE = [4, 5, 3]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Add", A + B + C),
        ("Multiply", A * B * C),
        ("Average", (A + B + C) / 3),
        ("Maximum", A.maximum(B).maximum(C)),
        ("Minimum", A.minimum(B).minimum(C)),
    ],
)
def test_any_number_is_merged_element_by_element(build, name, expected):
    torch.testing.assert_close(build(name, SHAPE, SHAPE, SHAPE)(A, B, C), expected)


def test_two_are_merged_by_torchs_own_function(build):
    assert "layer = torch.add(x0, x1)" in build("Add", SHAPE, SHAPE).code


def test_subtraction_keeps_its_order(build):
    assert torch.equal(build("Subtract", SHAPE, SHAPE)(A, B), A - B)


def test_an_extent_of_one_stands_for_any_other(build):
    module = build("Multiply", SHAPE, [1, 1, 3])
    assert module.output_shapes == [[None, *SHAPE]]
    assert torch.equal(module(A, B[..., :1, :1]), A * B[..., :1, :1])


@pytest.mark.parametrize(("axis", "dim"), [(-1, 1), (3, 1), (1, 2), (2, 3), (-2, 3)])
def test_concatenation_is_along_keras_axis(build, axis, dim):
    module = build("Concatenate", SHAPE, SHAPE, axis=axis)
    y = module(A, B)
    assert torch.equal(y, torch.cat([A, B], dim))
    assert module.output_shapes == [[None, *y.movedim(1, -1).shape[1:]]]


def test_unknown_extents_are_learned_from_the_others(build):
    assert build("Concatenate", [None, 5, 3], SHAPE).output_shapes == [[None, 4, 5, 6]]


@pytest.mark.parametrize(
    ("name", "shapes", "fault"),
    [
        ("Add", [SHAPE, [4, 6, 3]], "cannot add inputs of 4 x 5 x 3 and 4 x 6 x 3; change the layers before it"),
        ("Add", [SHAPE, [3]], "cannot add inputs of 4 x 5 x 3 and 3; Reshape them to the same number of axes"),
        ("Add", [SHAPE], "needs at least two inputs"),
        ("Subtract", [SHAPE] * 3, "subtracts one input from another, got 3"),
        ("Concatenate", [SHAPE, [4, 6, 3]], "cannot join inputs of 4 x 5 x 3 and 4 x 6 x 3 along axis -1"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(complaint, name, shapes, fault):
    assert fault in complaint(name, *shapes)


def test_a_bad_axis_is_refused(complaint):
    assert "axis 4 is no axis of its input of 4 x 5 x 3; use -1, or 1 to 3" in complaint(
        "Concatenate", SHAPE, SHAPE, axis=4
    )
