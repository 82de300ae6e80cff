import numpy
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
        ("Add", [SHAPE, [4, 3]], "cannot add inputs of 4 x 5 x 3 and 4 x 3; change the layers before it"),
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


@pytest.mark.parametrize("name", ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"])
@pytest.mark.parametrize("shape", [[3], [5, 3], [1, 3]])
def test_axes_that_an_input_lacks_come_first(build, name, shape):
    functions = {
        "Add": numpy.add, "Subtract": numpy.subtract, "Multiply": numpy.multiply,
        "Average": lambda a, b: (a + b) / 2, "Maximum": numpy.maximum, "Minimum": numpy.minimum,
    }  # fmt: skip
    a, b = random(2, *SHAPE), random(2, *shape)
    ranked = b.reshape(2, *[1] * (len(SHAPE) - len(shape)), *shape)
    for inputs, ordered in (((a, b), (a, ranked)), ((b, a), (ranked, a))):
        module = build(name, *(array.shape[1:] for array in inputs))
        numpy.testing.assert_allclose(run(module, *inputs), functions[name](*ordered), rtol=1e-12)
        assert module.output_shapes == [[None, *SHAPE]]


DOTS = [
    ([5], [5], 1, "na,na->n"),
    ([4, 5], [5], [2, 1], "nab,nb->na"),
    ([5], [4, 5], [1, 2], "nb,nab->na"),
    ([4, 5], [3, 5], -1, "nab,ncb->nac"),
    ([5, 4], [5, 3], 1, "nba,nbc->nac"),
    ([2, 4, 5], [3, 4, 6], 2, "nabc,ndbe->nacde"),
    ([4, 5], [3, 5, 2], [-1, -2], "nab,ncbd->nacd"),
]


@pytest.mark.parametrize(("first", "second", "axes", "equation"), DOTS)
@pytest.mark.parametrize("normalize", [False, True])
def test_dot_leaves_the_other_axes_in_keras_order(build, first, second, axes, equation, normalize):
    module = build("Dot", first, second, axes=axes, normalize=normalize)
    x, y = random(2, *first), random(2, *second)
    expected = numpy.einsum(equation, *(unit(x, axes, 0), unit(y, axes, 1)) if normalize else (x, y))
    expected = expected.reshape(2, -1) if expected.ndim == 1 else expected
    numpy.testing.assert_allclose(run(module, x, y), expected, rtol=1e-9)
    assert module.output_shapes == [[None, *expected.shape[1:]]]


def unit(x, axes, index):
    """Vectors of length 1 along the axis of this input."""
    axis = axes if isinstance(axes, int) else axes[index]
    return x / numpy.linalg.norm(x, axis=axis, keepdims=True)


@pytest.mark.parametrize(
    ("shapes", "axes", "fault"),
    [
        ([[4, 5], [4, 3]], 2, "cannot multiply inputs of 4 x 5 and 4 x 3 along axes [2, 2]; change `axes`"),
        ([[4, 5], [4, 3]], 3, "axis 3 is no axis of its input of 4 x 5"),
        ([[4, 5], [4, 3]], [1, 1, 1], "`axes` must be an axis or a list of 2, got [1, 1, 1]"),
        ([[4], [4], [4]], 1, "multiplies two inputs, got 3"),
    ],
)
def test_dots_that_do_not_fit_are_refused(complaint, shapes, axes, fault):
    assert fault in complaint("Dot", *shapes, axes=axes)


def random(*shape):
    return numpy.random.default_rng(sum(shape)).random(shape)


def run(module, *arrays):
    """What a network makes of arrays in Keras' order of axes, in float64."""
    tensors = [torch.from_numpy(array) for array in arrays]
    y = module.double()(*(tensor.movedim(-1, 1) if tensor.dim() > 2 else tensor for tensor in tensors))
    return (y.movedim(1, -1) if y.dim() > 2 else y).numpy()
