import json
from functools import partial

import numpy
import pytest
import torch

from rmldnn.errors import NetworkError
from rmldnn.networks.compile import network

A, T, V, U = (6, 8, 4), (5, 4), (4,), (None, 4)
ROW = [0.1, -0.7, 1.3, 2.9]
TABLE = [[0.5, 1.0, -2.0], [0.25, 3.0, 1.0], [-1.5, 0.125, 4.0], [2.0, 0.0, -0.5]]


def _inputs(shapes):
    return [
        {
            "class_name": "InputLayer",
            "name": f"in{index}",
            "config": {"name": f"in{index}", "batch_input_shape": [None, *shape]},
            "inbound_nodes": [],
        }
        for index, shape in enumerate(shapes)
    ]


def _model(shapes, layer, outputs):
    ends = [["op", 0, index] for index in range(outputs)]
    inputs = _inputs(shapes)
    starts = [[entry["name"], 0, 0] for entry in inputs]
    config = {"name": "net", "layers": [*inputs, layer], "input_layers": starts, "output_layers": ends}
    return network(layers={"class_name": "Functional", "config": config})


def keras_2(function, *shapes, first=None, outputs=1, class_name="TFOpLambda", **keywords):
    """A network of one function as Keras 2 exports it; names of inputs among the keywords are tensors."""
    tensors = {f"in{index}": [f"in{index}", 0, 0] for index in range(len(shapes))}
    words = {key: tensors.get(value, value) if isinstance(value, str) else value for key, value in keywords.items()}
    node = ["in0", 0, 0, words] if first is None else ["_CONSTANT_VALUE", -1, first, words]
    layer = {"class_name": class_name, "name": "op", "config": {"name": "op", "function": function}}
    return _model(shapes, {**layer, "inbound_nodes": [node]}, outputs)


def joined(function, *shapes, **keywords):
    """A network of one function of a list of tensors as Keras 2 exports it."""
    node = [[f"in{index}", 0, 0, keywords] for index in range(len(shapes))]
    layer = {"class_name": "TFOpLambda", "name": "op", "config": {"name": "op", "function": function}}
    return _model(shapes, {**layer, "inbound_nodes": [node]}, 1)


def keras_3(function, *shapes, args, outputs=1, **config):
    """A network of one operation as Keras 3 exports it; numbers of inputs are `in0`, ..."""

    def written(value):
        if isinstance(value, str) and value.startswith("in"):
            return {"class_name": "__keras_tensor__", "config": {"keras_history": [value, 0, 0]}}
        return [written(one) for one in value] if isinstance(value, list) else value

    layer = {"module": "keras.src.ops.numpy", "class_name": function, "name": "op", "config": {"name": "op", **config}}
    call = {"args": [written(value) for value in args], "kwargs": {}}
    return _model(shapes, {**layer, "inbound_nodes": [call]}, outputs)


def to_keras(x):
    return numpy.moveaxis(x, 1, -1) if x.ndim > 2 else x


def to_torch(x):
    return torch.from_numpy(numpy.ascontiguousarray(numpy.moveaxis(x, -1, 1) if x.ndim > 2 else x))


def arrays(net, batch=2, unknown=7):
    """Random inputs in Keras' order, of 64 bits."""
    generator = numpy.random.default_rng(0)
    return [generator.normal(size=(batch, *[extent or unknown for extent in shape[1:]])) for shape in net.input_shapes]


def run(net, *inputs):
    """What the network gives, in Keras' order."""
    results = net.double()(*map(to_torch, inputs))
    found = [to_keras(one.numpy()) for one in (results if isinstance(results, tuple) else (results,))]
    for one, shape in zip(found, net.output_shapes, strict=True):
        assert all(extent in (None, size) for size, extent in zip(one.shape, shape, strict=True))
    return found


def agrees(net, formula):
    inputs = arrays(net)
    (got,) = run(net, *inputs)
    numpy.testing.assert_allclose(got, formula(*inputs), rtol=1e-12, atol=1e-12)


POINTWISE = [
    (partial(keras_2, "math.multiply", A, y=2.5), lambda a: a * 2.5),
    (partial(keras_2, "__operators__.add", A, A, y="in1"), lambda a, b: a + b),
    (partial(keras_2, "math.subtract", A, first=0.1, y="in0"), lambda a: 0.1 - a),
    (partial(keras_2, "math.truediv", A, first=0.3, y="in0"), lambda a: 0.3 / a),
    (partial(keras_2, "math.pow", A, first=1.7, y="in0"), lambda a: 1.7**a),
    (partial(keras_2, "math.floormod", A, first=1.7, y="in0"), lambda a: 1.7 % a),
    (partial(keras_2, "compat.v1.floor_div", A, y=0.3), lambda a: numpy.floor(a / 0.3)),
    (partial(keras_2, "math.maximum", A, y=0.1), lambda a: numpy.maximum(a, 0.1)),
    (partial(keras_2, "math.minimum", A, first=0.1, y="in0"), lambda a: numpy.minimum(a, 0.1)),
    (partial(keras_2, "math.divide_no_nan", A, y=0.0), lambda a: 0 * a),
    (partial(keras_2, "clip_by_value", A, clip_value_min=-0.3, clip_value_max=0.4), lambda a: a.clip(-0.3, 0.4)),
    (partial(keras_2, "math.round", A), numpy.round),
    (partial(keras_2, "math.squared_difference", A, A, y="in1"), lambda a, b: (a - b) ** 2),
    (partial(keras_2, "nn.leaky_relu", A), lambda a: numpy.where(a > 0, a, 0.2 * a)),
    (partial(keras_2, "nn.relu6", A), lambda a: a.clip(0, 6)),
    (partial(keras_3, "Subtract", A, args=[1, "in0"]), lambda a: 1 - a),
    (partial(keras_3, "TrueDivide", A, args=["in0", 127.5]), lambda a: a / 127.5),
    (partial(keras_3, "Clip", A, args=["in0"], x_min=-0.3, x_max=0.4), lambda a: a.clip(-0.3, 0.4)),
    (
        partial(keras_3, "Threshold", A, args=["in0"], threshold=0.2, default_value=-1.0),
        lambda a: numpy.where(a > 0.2, a, -1),
    ),
    (partial(keras_3, "FullLike", A, args=["in0", 2.5]), lambda a: numpy.full_like(a, 2.5)),
]


@pytest.mark.parametrize(("build", "formula"), POINTWISE)
def test_element_by_element(build, formula):
    agrees(build(), formula)


BROADCAST = [
    (partial(keras_2, "math.multiply", A, y=ROW), lambda a: a * ROW),
    (partial(keras_2, "math.subtract", A, first=ROW, y="in0"), lambda a: ROW - a),
    (
        partial(keras_2, "__operators__.add", A, y=[[float(i)] for i in range(8)]),
        lambda a: a + numpy.arange(8.0)[:, None],
    ),
    (
        partial(keras_2, "__operators__.add", T, y=numpy.arange(20.0).reshape(5, 4).tolist()),
        lambda t: t + numpy.arange(20.0).reshape(5, 4),
    ),
    (partial(keras_2, "math.multiply", A, (1, 1, 4), y="in1"), lambda a, s: a * s),
    (partial(keras_2, "math.subtract", (6, 1, 1), A, y="in1"), lambda s, a: s - a),
    (
        partial(
            keras_3,
            "Multiply",
            A,
            args=["in0", {"class_name": "__numpy__", "config": {"value": ROW, "dtype": "float32"}}],
        ),
        lambda a: a * ROW,
    ),
]


@pytest.mark.parametrize(("build", "formula"), BROADCAST)
def test_operands_of_other_extents_follow_numpy_in_keras_order(build, formula):
    agrees(build(), formula)


@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
def test_constants_take_the_precision_of_the_network(precision):
    net = keras_2("math.multiply", V, y=ROW).to(precision)
    assert torch.equal(net(torch.ones(1, 4, dtype=precision)), torch.tensor([ROW], dtype=precision))


def test_constants_are_no_part_of_the_state():
    assert not keras_2("math.multiply", V, y=ROW).state_dict()


def test_an_extent_that_one_operand_leaves_open_is_that_of_the_other():
    assert keras_2("math.multiply", U, (8, 4), y="in1").output_shapes == [[None, 8, 4]]


def test_an_open_extent_against_one_stays_open():
    assert keras_2("math.multiply", U, (1, 4), y="in1").output_shapes == [[None, None, 4]]


def test_an_activation_is_known_as_such():
    assert keras_2("nn.softmax", V).last_activation == "softmax"


def test_arithmetic_reads_as_if_written_by_hand():
    assert "torch.rsub(x, other = 1.0)" in keras_2("math.subtract", A, first=1.0, y="in0").code


AXES = [
    (partial(keras_2, "math.reduce_mean", A, axis=[1, 2], keepdims=True), lambda a: a.mean((1, 2), keepdims=True)),
    (partial(keras_2, "math.reduce_mean", A, axis=-1), lambda a: a.mean(-1)),
    (partial(keras_2, "math.reduce_sum", A, axis=1), lambda a: a.sum(1)),
    (partial(keras_2, "math.reduce_max", A, axis=[1, -1]), lambda a: a.max((1, -1))),
    (partial(keras_2, "math.reduce_prod", T, axis=[1, 2]), lambda t: t.prod((1, 2))),
    (partial(keras_2, "math.reduce_std", A, axis=[1, 2]), lambda a: a.std((1, 2))),
    (partial(keras_2, "math.argmax", A, axis=-1), lambda a: a.argmax(-1)),
    (
        partial(keras_2, "math.cumsum", T, axis=-1, exclusive=True, reverse=True),
        lambda t: t[..., ::-1].cumsum(-1)[..., ::-1] - t,
    ),
    (
        partial(keras_2, "math.l2_normalize", A, axis=[1, 2]),
        lambda a: a / numpy.sqrt((a**2).sum((1, 2), keepdims=True)),
    ),
    (partial(keras_2, "compat.v1.norm", A, ord="euclidean", axis=-1), lambda a: numpy.sqrt((a**2).sum(-1))),
    (partial(keras_2, "reverse", A, axis=[1, -1]), lambda a: a[:, ::-1, :, ::-1]),
    (partial(keras_2, "roll", A, shift=[1, -2], axis=[1, 3]), lambda a: numpy.roll(a, (1, -2), (1, 3))),
    (partial(keras_2, "repeat", V, repeats=[1, 2, 0, 3], axis=-1), lambda v: v.repeat([1, 2, 0, 3], -1)),
    (partial(keras_2, "compat.v1.gather", A, indices=[2, 0, -1], axis=-1), lambda a: a[..., [2, 0, -1]]),
    (partial(keras_2, "compat.v1.gather", A, indices=3, axis=2), lambda a: a[:, :, 3]),
    (partial(keras_2, "expand_dims", T, axis=-1), lambda t: t[..., None]),
    (partial(keras_2, "expand_dims", V, axis=1), lambda v: v[:, None]),
    (partial(keras_2, "compat.v1.squeeze", (6, 8, 1), axis=-1), lambda a: a[..., 0]),
    (partial(keras_2, "compat.v1.squeeze", (1, 1, 4), axis=[1, 2]), lambda a: a[:, 0, 0]),
    (partial(keras_2, "sort", A, axis=-1, direction="DESCENDING"), lambda a: -numpy.sort(-a, -1)),
    (partial(joined, "concat", A, A, axis=-1), lambda a, b: numpy.concatenate([a, b], -1)),
    (partial(joined, "stack", A, A, axis=-1), lambda a, b: numpy.stack([a, b], -1)),
    (partial(joined, "stack", A, A, axis=1), lambda a, b: numpy.stack([a, b], 1)),
    (partial(joined, "math.add_n", A, A, A), lambda a, b, c: a + b + c),
    (partial(keras_3, "Var", A, args=["in0"], axis=-1, keepdims=True), lambda a: a.var(-1, keepdims=True)),
    (partial(keras_3, "Max", A, args=["in0"], axis=-1, keepdims=False, initial=0.5), lambda a: a.max(-1).clip(0.5)),
    (partial(keras_3, "ExpandDims", V, args=["in0"], axis=[1, 2]), lambda v: v[:, None, None]),
    (partial(keras_3, "Squeeze", (1, 1, 4), args=["in0"], axis=None), lambda a: a[:, 0, 0]),
    (partial(keras_3, "Concatenate", A, A, args=[["in0", "in1"]], axis=1), lambda a, b: numpy.concatenate([a, b], 1)),
    (partial(keras_3, "Diff", U, args=["in0"], n=1, axis=1), lambda u: numpy.diff(u, axis=1)),
]


@pytest.mark.parametrize(("build", "formula"), AXES)
def test_axes_are_those_of_keras(build, formula):
    agrees(build(), formula)


SPLITS = [
    (partial(keras_2, "split", A, num_or_size_splits=2, axis=-1, outputs=2), lambda a: numpy.split(a, 2, -1)),
    (partial(keras_2, "split", A, num_or_size_splits=[1, -1], axis=2, outputs=2), lambda a: numpy.split(a, [1], 2)),
    (partial(keras_2, "unstack", A, axis=-1, outputs=4), lambda a: [a[..., i] for i in range(4)]),
    (partial(keras_2, "unstack", A, axis=1, outputs=6), lambda a: [a[:, i] for i in range(6)]),
    (
        partial(keras_3, "Split", A, args=["in0"], indices_or_sections=[1, 3], axis=1, outputs=3),
        lambda a: numpy.split(a, [1, 3], 1),
    ),
    (
        partial(keras_3, "Moments", A, args=["in0"], axes=[-1], keepdims=False, outputs=2),
        lambda a: [a.mean(-1), a.var(-1)],
    ),
]


@pytest.mark.parametrize(("build", "formula"), SPLITS)
def test_several_results(build, formula):
    net = build()
    inputs = arrays(net)
    for got, wanted in zip(run(net, *inputs), formula(*inputs), strict=True):
        numpy.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_a_single_part_comes_by_itself():
    agrees(keras_2("unstack", (6, 1), axis=-1), lambda a: a[..., 0])


INDICES = [
    (A, numpy.s_[:, 1:4, :, :2]),
    (A, numpy.s_[:, 2]),
    (A, numpy.s_[:, -2:, :-1]),
    (A, numpy.s_[:, ::2, 1::3]),
    (A, numpy.s_[..., ::-1]),
    (A, numpy.s_[:, 4:1:-2]),
    (A, numpy.s_[:, -1::-3, 5:-9:-1]),
    (A, numpy.s_[..., -1]),
    (A, numpy.s_[:, 1, None, ..., 0:1]),
    (A, numpy.s_[:, 1, 2, 3]),
    (T, numpy.s_[:, None, :, None]),
    (T, numpy.s_[..., 0, None]),
    (V, numpy.s_[:, None]),
    (U, numpy.s_[:, 1:]),
    (U, numpy.s_[:, -2::-2]),
]


def _slice_spec(index, generation):
    written = []
    for entry in index:
        if isinstance(entry, slice):
            bounds = {"start": entry.start, "stop": entry.stop, "step": entry.step}
            entry = bounds if generation == 2 else {"class_name": "__slice__", "config": bounds}
        elif entry is ...:
            entry = {"class_name": "__ellipsis__"}
        written.append(entry)
    return written


@pytest.mark.parametrize(("shape", "index"), INDICES)
def test_slices_of_keras_2(shape, index):
    spec = _slice_spec(index if isinstance(index, tuple) else (index,), 2)
    net = keras_2("__operators__.getitem", shape, class_name="SlicingOpLambda", slice_spec=spec)
    agrees(net, lambda x: x[index])


@pytest.mark.parametrize(("shape", "index"), INDICES)
def test_slices_of_keras_3(shape, index):
    net = keras_3("GetItem", shape, args=["in0", _slice_spec(index, 3)])
    agrees(net, lambda x: x[index])


def test_a_slice_by_lists_of_bounds():
    net = keras_2(
        "strided_slice", A, begin=[0, 1, 0, 0], end=[2, 4, 8, 2], strides=[1, 1, 2, 1], begin_mask=1, end_mask=1
    )
    agrees(net, lambda a: a[:, 1:4, ::2, :2])


def test_what_is_cut_from_an_open_axis_is_open():
    spec = _slice_spec(numpy.s_[:, :3], 2)
    net = keras_2("__operators__.getitem", U, class_name="SlicingOpLambda", slice_spec=spec)
    assert net.output_shapes == [[None, None, 4]]


REARRANGED = [
    (partial(keras_2, "reshape", A, shape=[-1, 48, 4]), lambda a: a.reshape(-1, 48, 4)),
    (partial(keras_2, "reshape", A, shape=[-1, 3, 2, 4, 2, 4]), lambda a: a.reshape(-1, 3, 2, 4, 2, 4)),
    (partial(keras_2, "reshape", A, shape=[-1, 4]), lambda a: a.reshape(-1, 4)),
    (partial(keras_2, "compat.v1.transpose", A, perm=[0, 3, 1, 2]), lambda a: a.transpose(0, 3, 1, 2)),
    (partial(keras_2, "linalg.matmul", T, T, b="in1", transpose_b=True), lambda t, q: t @ q.transpose(0, 2, 1)),
    (partial(keras_2, "linalg.matmul", A, A, b="in1", transpose_a=True), lambda a, b: a.transpose(0, 1, 3, 2) @ b),
    (partial(keras_2, "linalg.matmul", T, b=TABLE), lambda t: t @ numpy.array(TABLE)),
    (partial(keras_2, "tensordot", A, b=TABLE, axes=1), lambda a: a @ numpy.array(TABLE)),
    (partial(keras_2, "tile", A, multiples=[1, 2, 1, 3]), lambda a: numpy.tile(a, (1, 2, 1, 3))),
    (
        partial(keras_2, "compat.v1.pad", A, paddings=[[0, 0], [1, 2], [0, 3], [0, 0]]),
        lambda a: numpy.pad(a, ((0, 0), (1, 2), (0, 3), (0, 0))),
    ),
    (
        partial(keras_2, "compat.v1.pad", A, paddings=[[0, 0], [2, 1], [2, 2], [1, 0]], mode="SYMMETRIC"),
        lambda a: numpy.pad(a, ((0, 0), (2, 1), (2, 2), (1, 0)), mode="symmetric"),
    ),
    (
        partial(keras_2, "compat.v1.pad", A, paddings=[[0, 0], [1, 1], [2, 2], [0, 0]], mode="REFLECT"),
        lambda a: numpy.pad(a, ((0, 0), (1, 1), (2, 2), (0, 0)), mode="reflect"),
    ),
    (
        partial(keras_3, "Einsum", T, T, args=["in0", "in1"], subscripts="btc,bsc->bts"),
        lambda t, q: t @ q.transpose(0, 2, 1),
    ),
    (partial(keras_3, "Swapaxes", A, args=["in0"], axis1=1, axis2=-1), lambda a: a.swapaxes(1, -1)),
    (partial(keras_3, "Moveaxis", A, args=["in0"], source=-1, destination=1), lambda a: numpy.moveaxis(a, -1, 1)),
    (partial(keras_3, "Triu", T, args=["in0"], k=1), lambda t: numpy.triu(t, 1)),
    (
        partial(keras_2, "nn.max_pool2d", A, ksize=2, strides=2, padding="VALID"),
        lambda a: a.reshape(-1, 3, 2, 4, 2, 4).max((2, 4)),
    ),
    (
        partial(keras_2, "nn.space_to_depth", A, block_size=2),
        lambda a: a.reshape(-1, 3, 2, 4, 2, 4).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 3, 4, 16),
    ),
    (
        partial(keras_2, "nn.depth_to_space", A, block_size=2),
        lambda a: a.reshape(-1, 6, 8, 2, 2, 1).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 12, 16, 1),
    ),
]


@pytest.mark.parametrize(("build", "formula"), REARRANGED)
def test_orders_are_those_of_keras(build, formula):
    agrees(build(), formula)


def test_a_choice_among_constants():
    agrees(keras_3("Where", A, args=["in0", 1.5, ROW]), lambda a: numpy.where(a != 0, 1.5, ROW))


def test_a_cast_of_fractions_keeps_the_precision_of_the_network():
    agrees(keras_2("cast", A, dtype="float32"), lambda a: a)


def test_truth_values_become_numbers_of_the_precision_of_the_network():
    net = keras_3("Cast", A, args=["in0"], dtype="bool")
    assert net(torch.randn(1, 4, 6, 8)).dtype == torch.bool


def test_extents_of_tensors_are_known_when_the_network_is_compiled():
    steps = [
        ("TFOpLambda", "shape", "compat.v1.shape", ["in0", 0, 0, {"out_type": "int32"}]),
        ("SlicingOpLambda", "batch", "__operators__.getitem", ["shape", 0, 0, {"slice_spec": 0}]),
        ("SlicingOpLambda", "rows", "__operators__.getitem", ["shape", 0, 0, {"slice_spec": 1}]),
        ("TFOpLambda", "half", "compat.v1.floor_div", ["rows", 0, 0, {"y": 2}]),
        ("TFOpLambda", "op", "reshape", ["in0", 0, 0, {"shape": [["batch", 0, 0], ["half", 0, 0], -1]}]),
    ]
    layers = [
        {"class_name": kind, "name": name, "config": {"name": name, "function": function}, "inbound_nodes": [node]}
        for kind, name, function, node in steps
    ]
    ends = {"input_layers": [["in0", 0, 0]], "output_layers": [["op", 0, 0]]}
    net = network(layers={"class_name": "Functional", "config": {"layers": [*_inputs([A]), *layers], **ends}})
    agrees(net, lambda a: a.reshape(-1, 3, 64))


def _node(operation, *shapes, constants=None, **attributes):
    node = {"name": "op", "op": operation, "input": [], "attr": attributes}
    calls = [["in0", 0, 0, {}]] if len(shapes) == 1 else [[f"in{index}", 0, 0, {}] for index in range(len(shapes))]
    config = {"name": "op", "node_def": node, "constants": constants or {}}
    return _model(
        shapes, {"class_name": "TensorFlowOpLayer", "name": "op", "config": config, "inbound_nodes": [calls]}, 1
    )


NODES = [
    (partial(_node, "Sub", A, constants={"0": 1.0}), lambda a: 1 - a),
    (
        partial(_node, "Mean", A, constants={"1": [1, 2]}, keep_dims={"b": True}),
        lambda a: a.mean((1, 2), keepdims=True),
    ),
    (partial(_node, "ConcatV2", A, A, constants={"2": -1}), lambda a, b: numpy.concatenate([a, b], -1)),
    (
        partial(
            _node,
            "StridedSlice",
            A,
            constants={"1": [0, 1], "2": [0, 4], "3": [1, 2]},
            begin_mask={"i": "1"},
            end_mask={"i": "1"},
        ),
        lambda a: a[:, 1:4:2],
    ),
]


@pytest.mark.parametrize(("build", "formula"), NODES)
def test_nodes_of_graphs(build, formula):
    agrees(build(), formula)


REFUSED = [
    (lambda: keras_2("math.mutliply", A, y=2.0), "did you mean `math.multiply`"),
    (lambda: keras_3("Median", A, args=["in0"], axis=1), "unknown operation `Median`"),
    (lambda: keras_2("math.reduce_mean", A, axis=None), "samples would mix"),
    (lambda: keras_2("compat.v1.transpose", A, perm=[1, 0, 2, 3]), "with the batch, 0, first"),
    (lambda: keras_2("reshape", A, shape=[2, -1]), "first entry must be the batch"),
    (lambda: keras_2("reshape", A, shape=[-1, 7]), "reshapes its input of 6 x 8 x 4 to [-1, 7]"),
    (lambda: keras_2("__operators__.getitem", A, slice_spec=[0]), "its index must be `:`"),
    (
        lambda: keras_2("__operators__.getitem", A, slice_spec=_slice_spec(numpy.s_[:, 9], 2)),
        "index 9 is beyond axis 1",
    ),
    (lambda: keras_2("math.multiply", A, V, y="in1"), "the batch, do not meet"),
    (lambda: keras_2("math.multiply", A, y=[1.0, 2.0, 3.0]), "cannot combine a tensor of 6 x 8 x 4 and a constant of"),
    (lambda: keras_2("math.multiply", A, y="text"), "must be a number"),
    (lambda: keras_2("math.multiply", A), "is called without `y`"),
    (lambda: keras_2("math.reduce_sum", A, axis=1, foo=3), "`foo`: 3"),
    (lambda: keras_2("linalg.matmul", V, V, b="in1", transpose_b=True), "mixes the samples"),
    (lambda: keras_2("tile", A, multiples=[2, 1, 1, 1]), "give 1 for the batch"),
    (lambda: keras_2("math.top_k", A, k="x"), "cannot be called as the file does"),
    (lambda: keras_2("einsum", A, first="bhwc->bchw"), "names no tensors"),
    (lambda: keras_2("cast", A, dtype="float16"), "cast to float32"),
]


@pytest.mark.parametrize(("build", "message"), REFUSED)
def test_what_cannot_be_is_refused_with_a_remedy(build, message):
    with pytest.raises(NetworkError) as caught:
        build()
    assert message in str(caught.value)


def test_every_name_means_an_implementation_with_as_many_arguments():
    from rmldnn.networks.operations import keras_3 as new
    from rmldnn.networks.operations import tensorflow as old
    from rmldnn.networks.operations.calling import IMPLEMENTATIONS
    from rmldnn.networks.operations.pointwise import parameters

    for line in [*old.FUNCTIONS.values(), *old.NODES.values(), *new.CLASSES.values()]:
        implementation, *words = line.split()
        assert len(words) <= len(parameters(IMPLEMENTATIONS[implementation])), line


def test_gradients_pass():
    net = keras_2("math.multiply", V, y=ROW)
    x = torch.ones(1, 4, requires_grad=True)
    net(x).sum().backward()
    assert json.dumps(x.grad.tolist()) == json.dumps(torch.tensor([ROW]).tolist())
