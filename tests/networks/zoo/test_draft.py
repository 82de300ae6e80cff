import pytest

from rmldnn.errors import NetworkError
from rmldnn.networks.graph import Ref
from rmldnn.networks.zoo.draft import Draft


@pytest.fixture
def net():
    return Draft("small")


@pytest.fixture
def image(net):
    return net.input([11, None, 3])


def names(graph):
    return [node.name for node in graph.nodes]


def test_automatic_names_count_as_in_keras(net, image):
    x = net.zero_padding(net.zero_padding(net.zero_padding(image, 1, name="mine"), 1), 1)
    assert names(net.graph(x)) == ["input_1", "mine", "zero_padding2d", "zero_padding2d_1"]


def test_layers_that_do_not_lead_to_the_output_are_left_out(net, image):
    net.conv(image, 4, 3, name="dead end")
    assert names(net.graph(net.conv(image, 4, 3, name="end"))) == ["input_1", "end"]


def test_the_graph_names_its_input_and_output(net, image):
    graph = net.graph(net.conv(image, 4, 3, name="end"))
    assert (graph.inputs, graph.outputs) == ((Ref("input_1"),), (Ref("end"),))


def test_initial_values_are_those_of_keras_and_not_of_torch(net, image):
    *_, node = net.graph(net.conv(image, 4, 3)).nodes
    assert (node.config["kernel_initializer"], node.config["bias_initializer"]) == ("glorot_uniform", "zeros")


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda net, x: net.conv(x, 4, 3, 2), (5, None, 4)),
        (lambda net, x: net.conv(x, 4, 3, 2, "same"), (6, None, 4)),
        (lambda net, x: net.conv(x, 4, (5, 1)), (7, None, 4)),
        (lambda net, x: net.transpose(x, 4, 3), (22, None, 4)),
        (lambda net, x: net.depthwise(x, 3, 2, "valid"), (5, None, 3)),
        (lambda net, x: net.separable(x, 7, 3), (11, None, 7)),
        (lambda net, x: net.pool("Max", x, 2), (5, None, 3)),
        (lambda net, x: net.pool("Average", x, 3, 2, "same"), (6, None, 3)),
        (lambda net, x: net.zero_padding(x, [(0, 1), (2, 3)]), (12, None, 3)),
        (lambda net, x: net.upsampling(x, [2, 3]), (22, None, 3)),
        (lambda net, x: net.add(x, x), (11, None, 3)),
        (lambda net, x: net.concatenate(x, x, x), (11, None, 9)),
        (lambda net, x: net.global_average(x), (3,)),
        (lambda net, x: net.global_average(x, keepdims=True), (1, 1, 3)),
        (lambda net, x: net.flatten(net.pool("Max", net.input([8, 4, 3]), 2)), (24,)),
        (lambda net, x: net.dense(net.global_average(x), 5), (5,)),
    ],
)
def test_shapes_follow_keras(net, image, layer, shape):
    assert layer(net, image).shape == shape


@pytest.mark.parametrize(
    ("shape", "wishes", "message"),
    [
        ([64, 64], {}, "input_shape: must be height, width and channels, such as [224, 224, 3], got [64, 64]"),
        ([8, 8, 8], {"axes": 3}, "input_shape: must be depth, height, width and channels, such as"),
        (
            [64, 64, None],
            {},
            "input_shape: the number of channels, which comes last, must be known, got [64, 64, null]",
        ),
        (
            [64, 31, 3],
            {"minimum": 32},
            "input_shape: small takes no extent below 32, got [64, 31, 3]; enlarge the images",
        ),
        (
            [64, 100, 3],
            {"multiple": 32},
            "input_shape: small needs extents that are multiples of 32, such as [64, 96], got [64, 100]; resize or pad",
        ),
        ([7, None, 3], {"multiple": 32}, "such as [32, null], got [7, null]"),
    ],
)
def test_an_input_that_does_not_fit_is_explained(net, shape, wishes, message):
    with pytest.raises(NetworkError) as error:
        net.input(shape, **wishes)
    assert message in str(error.value)
