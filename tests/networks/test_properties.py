"""Laws that hold for every network: inferred shapes are those that running gives."""

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rmldnn.errors import NetworkError
from rmldnn.networks.compile import network
from rmldnn.networks.writing import write

SMALL = st.integers(1, 3)


def per_axis(axes, numbers=SMALL):
    return st.one_of(numbers, st.lists(numbers, min_size=axes, max_size=axes))


@st.composite
def sliding_layers(draw, axes):
    """A convolution or pooling layer that fits into an input of 7 or more along each axis."""
    padding = draw(st.sampled_from(["valid", "same"]))
    if draw(st.booleans()):
        name = draw(st.sampled_from(["MaxPooling", "AveragePooling"]))
        config = {"pool_size": draw(per_axis(axes)), "strides": draw(st.none() | per_axis(axes)), "padding": padding}
        return {"class_name": f"{name}{axes}D", "config": config}
    groups = draw(st.sampled_from([1, 2]))
    config = {
        "filters": 2 * draw(SMALL),
        "kernel_size": draw(per_axis(axes)),
        "strides": draw(per_axis(axes)),
        "dilation_rate": draw(per_axis(axes)),
        "padding": draw(st.one_of(st.just(padding), per_axis(axes, st.integers(0, 2)))),
        "groups": groups,
        "activation": draw(st.sampled_from(["linear", "relu"])),
    }
    return {"class_name": f"Conv{axes}D", "config": config}


@st.composite
def networks(draw):
    axes = draw(st.integers(1, 3))
    extents = draw(st.lists(st.integers(7, 12), min_size=axes, max_size=axes))
    middle = draw(st.sampled_from([[], [{"class_name": "Flatten"}], [{"class_name": f"GlobalMaxPooling{axes}D"}]]))
    stack = [*draw(st.lists(sliding_layers(axes), min_size=1, max_size=3)), *middle]
    return [*extents, 2], [*stack, {"class_name": "Dense", "config": {"units": 3}}]


def keras_shape(tensor):
    return list(tensor.movedim(1, -1).shape)[1:]


def first(layer, shape):
    return {**layer, "config": {**layer["config"], "batch_input_shape": shape}}


@settings(max_examples=150, deadline=None)
@given(networks())
def test_inferred_shapes_are_those_of_the_run(described):
    (*spatial, channels), (head, *rest) = described
    try:
        module = network(layers=[first(head, [None, *spatial, channels]), *rest])
    except NetworkError as error:
        assume("does not fit into its input" not in str(error))
        raise
    with torch.no_grad():
        output = module(torch.rand(2, channels, *spatial))
    assert module.output_shapes == [[None, *keras_shape(output)]]


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 3).flatmap(lambda axes: st.tuples(st.just(axes), sliding_layers(axes))), st.integers(7, 12))
def test_unknown_extents_change_no_result(described, extent):
    axes, layer = described
    fixed = network(layers=[first(layer, [None, *[extent] * axes, 2])])
    free = network(layers=[first(layer, [None, *[None] * axes, 2])])
    free.load_state_dict(fixed.state_dict())
    x = torch.rand(2, 2, *[extent] * axes)
    torch.testing.assert_close(free(x), fixed(x))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_reshape_keeps_keras_order_of_elements(shape, data):
    target = data.draw(st.permutations(shape))
    module = network(layers=[first({"class_name": "Reshape", "config": {"target_shape": target}}, [None, *shape])])
    x = torch.rand(2, *shape)
    assert torch.equal(module(x.movedim(-1, 1)).movedim(1, -1), x.reshape(2, *target))


def kinds():
    """Layers of images that keep, halve or double the extents, and take any number of channels."""
    same = {"kernel_size": 3, "padding": "same"}
    return [
        ("Conv2D", {"filters": 3, **same}),
        ("Conv2D", {"filters": 2, **same, "strides": 2}),
        ("DepthwiseConv2D", {**same, "depth_multiplier": 2}),
        ("SeparableConv2D", {"filters": 4, **same}),
        ("Conv2DTranspose", {"filters": 3, **same, "strides": 2}),
        ("BatchNormalization", {}),
        ("BatchNormalization", {"axis": 2, "scale": False}),
        ("LayerNormalization", {"axis": [-1, -2]}),
        ("GroupNormalization", {"groups": 1}),
        ("UpSampling2D", {"size": [2, 1], "interpolation": "bilinear"}),
        ("ZeroPadding2D", {"padding": [[0, 1], [2, 0]]}),
        ("Permute", {"dims": [2, 1, 3]}),
        ("MaxPooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}),
        ("PReLU", {"shared_axes": [1, 2]}),
        ("Softmax", {"axis": 1}),
        ("Dense", {"units": 5, "activation": "tanh"}),
    ]


@st.composite
def graphs(draw):
    """A random graph: each layer takes what some layer before it gave; sums take one tensor twice."""
    shape = [None, *draw(st.lists(st.integers(4, 7), min_size=2, max_size=2)), 2]
    layers = [{"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": shape}}]
    for index in range(draw(st.integers(2, 7))):
        kind, config = draw(st.sampled_from([*kinds(), ("Add", {}), ("Concatenate", {"axis": 2})]))
        source = draw(st.sampled_from([layer["config"]["name"] for layer in layers]))
        calls = [[[source, 0, 0, {}]] * (2 if kind in ("Add", "Concatenate") else 1)]
        layers.append({"class_name": kind, "config": {"name": f"l{index}", **config}, "inbound_nodes": calls})
    return {"class_name": "Functional", "config": {"name": "net", "layers": layers}}


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_shapes_of_random_graphs_are_those_of_the_run(model):
    module = network(layers=model)
    (_, *extents, channels), batch = module.input_shapes[0], 3
    with torch.no_grad():
        outputs = module(torch.rand(batch, channels, *extents))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    assert module.output_shapes == [[None, *keras_shape(output)] for output in outputs]


@settings(max_examples=50, deadline=None)
@given(graphs())
def test_writing_and_reading_changes_no_result(model):
    module = network(layers=model).eval()
    again = network(layers=write(module.description)).eval()
    again.load_state_dict(module.state_dict())
    (_, *extents, channels) = module.input_shapes[0]
    x = torch.rand(2, channels, *extents)
    for one, other in zip(flat(module(x)), flat(again(x)), strict=True):
        assert torch.equal(one, other)


def flat(outputs):
    return outputs if isinstance(outputs, tuple) else (outputs,)
