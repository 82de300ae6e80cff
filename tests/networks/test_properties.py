"""Laws that hold for every network: inferred shapes are those that running gives."""

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rmldnn.errors import NetworkError
from rmldnn.networks.compile import network

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
