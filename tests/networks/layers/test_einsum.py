import pytest
import torch


@pytest.mark.parametrize(
    ("shape", "config", "kernel", "bias", "result"),
    [
        ([7], {"equation": "ab,bc->ac", "output_shape": 5, "bias_axes": "c"}, (7, 5), (5,), [5]),
        ([6, 7], {"equation": "abc,cd->abd", "output_shape": [None, 4]}, (7, 4), None, [6, 4]),
        ([6, 7], {"equation": "abc,cd->abd", "output_shape": [6, 4], "bias_axes": "b"}, (7, 4), (6, 1), [6, 4]),
        ([None, 7], {"equation": "...x,xy->...y", "output_shape": 4, "bias_axes": "y"}, (7, 4), (4,), [None, 4]),
        ([6, 7], {"equation": "ab...,bc->ac...", "output_shape": 3, "bias_axes": "c"}, (6, 3), (3, 1), [3, 7]),
        (
            [8, 9],
            {"equation": "abc,cde->abde", "output_shape": [None, 2, 3], "bias_axes": "de"},
            (9, 2, 3),
            (2, 3),
            [8, 2, 3],
        ),
    ],
)
def test_shapes_follow_from_the_equation(build, shape, config, kernel, bias, result):
    module = build("EinsumDense", shape, **config)
    assert tuple(module.layer.weight.shape) == kernel
    assert (None if module.layer.bias is None else tuple(module.layer.bias.shape)) == bias
    assert module.output_shapes == [[None, *result]]


def test_axes_are_those_of_keras(build):
    module = build("EinsumDense", [6, 7], equation="abc,bd->adc", output_shape=[5, 7]).double()
    x = torch.rand(2, 7, 6, dtype=torch.float64)
    torch.testing.assert_close(module(x), torch.einsum("acb,bd->acd", x, module.layer.weight))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"equation": "ab", "output_shape": 5}, "must be like"),
        ({"equation": "abc,cd->abd", "output_shape": 5}, "has 3 axes for the batch and its input of 7"),
        ({"equation": "ab,bc->ac", "output_shape": [5, 5]}, "does not name the axes `ac`"),
        ({"equation": "ab,bc->ac", "output_shape": 5, "bias_axes": "x"}, "bias_axes `x` are not all axes"),
        ({"equation": "ab,bc->ac", "output_shape": [None]}, "axis `c` of its weights"),
        ({"equation": "ab,bc->ab", "output_shape": 5}, "axis `b` of `ab,bc->ab` is 7"),
    ],
)
def test_what_does_not_fit_is_refused(complaint, config, message):
    assert message in complaint("EinsumDense", [7], **config)
