"""Compiling: names, counts, freezing, sharing, messages."""

import copy
import logging

import pytest
import torch
from torch import nn

from rmldnn.errors import NetworkError
from rmldnn.networks.compile import network

INPUT = {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 8, 8, 3]}}
ACTIVATION = {"class_name": "Activation", "config": {"name": "act", "activation": "softmax"}}


def conv(name="conv", **config):
    return {"class_name": "Conv2D", "config": {"name": name, "filters": 2, "kernel_size": 3, **config}}


def dense(name="dense", **config):
    return {"class_name": "Dense", "config": {"name": name, "units": 4, **config}}


def messages(*layers):
    with pytest.raises(NetworkError) as caught:
        network(layers=[INPUT, *layers])
    return [str(problem) for problem in caught.value.problems]


def message(*layers):
    (only,) = messages(*layers)
    return only


@pytest.mark.parametrize("name", ["conv", "conv1/conv", "conv.1", "layer1.0.conv1", "2nd conv"])
def test_parameters_are_called_after_their_layer(name):
    module = network(layers=[INPUT, conv(name)])
    assert list(module.state_dict()) == [f"{name}.weight", f"{name}.bias"]
    assert module(torch.rand(1, 3, 8, 8)).shape == (1, 2, 6, 6)


def test_a_dotted_name_may_begin_with_another_layers_name():
    module = network(layers=[INPUT, conv("a"), conv("a.1")])
    assert set(module.state_dict()) == {"a.weight", "a.bias", "a.1.weight", "a.1.bias"}


@pytest.mark.parametrize("name", ["is", "train", "graph", "training", "self", "_modules", "code", "a.training"])
def test_names_that_python_or_torch_keep_get_a_line_behind(name):
    module = network(layers=[INPUT, conv(name)])
    assert list(module.state_dict()) == [f"{name}_.weight", f"{name}_.bias"]
    assert module(torch.rand(1, 3, 8, 8)).shape == (1, 2, 6, 6)
    assert module.layers[1].qualified == name


def test_such_a_name_gives_way_to_another_layer():
    module = network(layers=[INPUT, conv("is"), conv("is_")])
    assert {key.partition(".")[0] for key in module.state_dict()} == {"is_", "is__"}


@pytest.mark.parametrize("name", ['a"b', "a\\b"])
def test_characters_that_break_the_code_are_replaced(name):
    assert list(network(layers=[INPUT, conv(name)]).state_dict()) == ["a_b.weight", "a_b.bias"]


def test_a_name_that_ends_in_a_dot_is_refused():
    assert "must not begin or end with a dot" in message(conv("a."))


def test_a_layer_named_like_anothers_parameter_is_refused():
    assert "layer `a` has a `weight` of its own; change `name`" in message(conv("a"), conv("a.weight"))


def test_plain_modules_are_called_without_wrappers():
    module = network(layers=[INPUT, conv(padding="same", activation="relu"), ACTIVATION])
    assert type(module.conv) is nn.Conv2d
    assert "conv = self.conv(x)" in module.code
    assert "conv_activation = torch.relu(conv)" in module.code


def test_an_activation_inside_a_layer_is_an_operation():
    assert network(layers=[INPUT, conv(activation="relu"), ACTIVATION]).num_operations == 4


def test_an_implicit_input_is_an_operation():
    assert network(layers=[conv(batch_input_shape=[None, 8, 8, 3], activation="linear")]).num_operations == 2


def test_layers_that_change_nothing_cost_nothing():
    module = network(layers=[INPUT, {"class_name": "Dropout", "config": {"rate": 0}}])
    assert module.num_operations == 2
    assert [node.op for node in module.graph.nodes] == ["placeholder", "output"]


def test_shapes_are_those_of_keras():
    module = network(layers=[INPUT, conv()])
    assert (module.input_shapes, module.output_shapes) == ([[None, 8, 8, 3]], [[None, 6, 6, 2]])


@pytest.mark.parametrize(
    ("layers", "name"),
    [
        ([dense(activation="log_softmax_v2")], "log_softmax"),
        ([dense(activation="linear")], None),
        ([dense(), ACTIVATION], "softmax"),
        ([ACTIVATION, {"class_name": "Dropout", "config": {"rate": 0.0}}], "softmax"),
        ([ACTIVATION, dense()], None),
        ([], None),
    ],
)
def test_the_last_activation_is_that_of_the_output(layers, name):
    assert network(layers=[INPUT, *layers]).last_activation == name


def test_frozen_layers_do_not_train():
    module = network(layers=[INPUT, conv("a", trainable=False), conv("b")])
    assert {name: p.requires_grad for name, p in module.named_parameters()} == {
        "a.weight": False, "a.bias": False, "b.weight": True, "b.bias": True,
    }  # fmt: skip


def test_a_shared_layer_has_one_set_of_parameters():
    twice = {**conv(), "inbound_nodes": [[["in", 0, 0, {}]], [["in2", 0, 0, {}]]]}
    add = {"class_name": "Add", "config": {}, "inbound_nodes": [[["conv", 0, 0, {}], ["conv", 1, 0, {}]]]}
    module = network(layers=[INPUT, {**INPUT, "name": "in2"}, twice, add])
    x, y = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8)
    assert len(module.state_dict()) == 2
    assert torch.equal(module(x, y), module.conv(x) + module.conv(y))


def test_several_outputs_are_a_tuple():
    branch = {"inbound_nodes": [[["in", 0, 0, {}]]]}
    module = network(layers=[INPUT, {**conv("a"), **branch}, {**conv("b"), **branch}])
    assert [tuple(y.shape) for y in module(torch.rand(1, 3, 8, 8))] == [(1, 2, 6, 6)] * 2


def test_an_empty_batch_passes():
    pooling = {"class_name": "MaxPooling2D", "config": {}}
    layers = [INPUT, conv(padding="same"), pooling, {"class_name": "Flatten", "config": {}}, dense()]
    assert network(layers=layers)(torch.rand(0, 3, 8, 8)).shape == (0, 4)


def test_a_copy_is_a_network_with_parameters_of_its_own():
    module = network(layers=[INPUT, conv("a.1", activation="relu")])
    twin = copy.deepcopy(module)
    with torch.no_grad():
        twin.get_parameter("a.1.bias").add_(1)
    assert twin.output_shapes == module.output_shapes
    assert not torch.equal(twin.get_parameter("a.1.bias"), module.get_parameter("a.1.bias"))


def test_the_same_seed_gives_the_same_parameters():
    def weights():
        torch.manual_seed(3)
        return network(layers=[INPUT, conv(kernel_initializer="he_normal")]).conv.weight

    assert torch.equal(weights(), weights())


def test_class_names_are_matched_without_regard_to_case():
    assert network(layers=[INPUT, {**conv(), "class_name": "conv2d"}]).output_shapes == [[None, 6, 6, 2]]


def test_unknown_keys_are_refused_with_a_near_miss():
    text = message(conv(padd="same"))
    assert "`padd`: unknown key in conv (Conv2D); did you mean `padding`?" in text


def test_unknown_keys_are_warnings_to_the_lenient(caplog):
    with caplog.at_level(logging.WARNING, logger="rmldnn"):
        network(True, layers=[INPUT, conv(padd="same")])
    assert "did you mean `padding`?" in caplog.text


def test_a_missing_key_is_named():
    assert "`units` is missing; it must be a positive integer" in message({"class_name": "Dense", "config": {}})


def test_a_wrong_type_is_named():
    assert "dense (Dense).units: must be a positive integer, got 0" in message(dense(units=0))


@pytest.mark.parametrize("value", [None, {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.0}}])
def test_exported_keys_that_say_nothing_are_passed_over(value):
    network(layers=[INPUT, conv(kernel_regularizer=value, dtype="float32", data_format="channels_last")])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("activity_regularizer", {"class_name": "L2", "config": {"l2": 0.01}}),
        ("kernel_constraint", {"class_name": "MaxNorm", "config": {}}),
        ("data_format", "channels_middle"),
        ("dtype", {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}),
    ],
)
def test_exported_keys_that_would_change_the_result_are_refused(key, value):
    assert f"conv (Conv2D).{key}: " in message(conv(**{key: value}))


def test_a_window_too_large_names_layer_shapes_and_key():
    small = {**INPUT, "config": {"name": "in", "batch_input_shape": [None, 4, 4, 1]}}
    with pytest.raises(NetworkError) as caught:
        network(layers=[small, conv("conv2", kernel_size=[5, 5])])
    assert str(caught.value) == (
        "conv2 (Conv2D): kernel_size [5, 5] does not fit into its input of 4 x 4; "
        'make kernel_size smaller or padding "same"'
    )


def test_all_layers_are_judged_at_once():
    assert (
        len(messages(conv("a", filters=0), conv("b", strides=0), dense(activation="rellu"), dense("c", units=-1))) == 3
    )


def test_a_tensor_that_a_layer_does_not_give_is_refused():
    second = {**dense(), "inbound_nodes": [[["in", 0, 1, {}]]]}
    assert "output 1 of `in` does not exist" in message(second)


def test_a_negative_tensor_is_refused():
    second = {**dense(), "inbound_nodes": [[["in", 0, -1, {}]]]}
    assert "output -1 of `in` does not exist" in message(second)


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({"filters": 2**50}, f"conv (Conv2D): its {2**50 * 28:,} parameters do not fit into memory"),
        ({"filters": 2**58}, "conv (Conv2D): its more than"),
        ({"filters": 1e30}, "conv (Conv2D).filters: must be a positive integer, got 1e+30"),
        ({"padding": 1e20}, "conv (Conv2D).padding: must be"),
        ({"padding": 2**62}, "is larger than any tensor can be"),
        ({"kernel_initializer": {"class_name": "HeNormal", "config": {"seed": 2**70}}}, "kernel.seed: must fit into"),
    ],
)
def test_huge_numbers_are_refused_with_layer_and_key(config, fault):
    text = message(conv(**config))
    assert text.startswith("conv (Conv2D)")
    assert fault in text


def test_a_layer_without_places_is_shared_between_ranks():
    flat = {"class_name": "InputLayer", "config": {"name": "flat", "batch_input_shape": [None, 3]}}
    twice = {**dense("twice"), "inbound_nodes": [[["in", 0, 0, {}]], [["flat", 0, 0, {}]]]}
    module = network(layers=[INPUT, flat, twice])
    image, vector = module(torch.ones(1, 3, 8, 8), torch.ones(1, 3))
    torch.testing.assert_close(image[:, :, 0, 0], vector)


def test_sharing_between_ranks_is_refused_where_weights_depend_on_it():
    deep = {"class_name": "InputLayer", "config": {"name": "deep", "batch_input_shape": [None, 8, 3]}}
    norm = {"class_name": "LayerNormalization", "config": {"name": "n", "axis": [1, 2]}}
    twice = {**norm, "inbound_nodes": [[["in", 0, 0, {}]], [["deep", 0, 0, {}]]]}
    assert "is shared by inputs of 8 x 8 x 3 and 8 x 3; give it inputs with the same number of axes" in message(
        deep, twice
    )


def test_it_can_be_exported_and_scripted_by_torch():
    module = network(layers=[INPUT, conv(activation="relu", padding="same", strides=2), {"class_name": "Flatten"}])
    x = torch.rand(2, 3, 8, 8)
    assert torch.equal(torch.export.export(module, (x,)).module()(x), module(x))


def chained(*layers):
    """Layers one after the other, each called as it says or on the one before."""
    return network(layers=[INPUT, *layers])


def test_sharing_between_extents_pads_each_as_it_needs():
    odd = {"class_name": "InputLayer", "config": {"name": "odd", "batch_input_shape": [None, 9, 9, 3]}}
    shared = {**conv("shared", strides=2, padding="same"), "inbound_nodes": [[["in", 0, 0, {}]], [["odd", 0, 0, {}]]]}
    module = network(layers=[INPUT, odd, shared]).eval()
    alone = network(layers=[odd, conv("shared", strides=2, padding="same")]).eval()
    alone.load_state_dict(module.state_dict())
    x = torch.rand(1, 3, 9, 9)
    even, odd = module(torch.rand(1, 3, 8, 8), x)
    assert even.shape == (1, 2, 4, 4)
    torch.testing.assert_close(odd, alone(x))


def test_restarting_for_a_shared_layer_leaves_the_seed_alone():
    odd = {"class_name": "InputLayer", "config": {"name": "odd", "batch_input_shape": [None, 9, 9, 3]}}
    first = conv("first", kernel_initializer="glorot_uniform", bias_initializer="zeros")
    shared = {**conv("shared"), "inbound_nodes": [[["in", 0, 0, {}]], [["odd", 0, 0, {}]]]}
    torch.manual_seed(3)
    plain = chained(first)
    torch.manual_seed(3)
    module = network(layers=[INPUT, {**first, "inbound_nodes": [[["in", 0, 0, {}]]]}, odd, shared])
    assert torch.equal(module.first.weight, plain.first.weight)


def nested(name, *layers, calls=("in",)):
    inner = {"layers": [{"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 8, 8, 3]}}]}
    inner["layers"] += layers
    inbound = [[[call, 0, 0, {}]] for call in calls]
    return {"class_name": "Functional", "name": name, "config": inner, "inbound_nodes": inbound}


def test_layers_of_a_nested_model_are_called_after_both():
    module = chained(nested("inner", conv("a"), conv("b")), dense("head"))
    assert {name.rpartition(".")[0] for name in module.state_dict()} == {"inner.a", "inner.b", "head"}
    assert module(torch.rand(1, 3, 8, 8)).shape == (1, 4, 4, 4)


def test_a_nested_model_called_twice_shares_its_weights():
    other = {"class_name": "InputLayer", "config": {"name": "other", "batch_input_shape": [None, 8, 8, 3]}}
    module = chained(other, nested("inner", conv("a"), calls=("in", "other")))
    x = torch.rand(1, 3, 8, 8)
    one, two = module(x, x)
    assert torch.equal(one, two)
    assert len(module.state_dict()) == 2


def test_problems_in_a_nested_model_name_both_layers():
    assert message(nested("inner", conv("a", filters=0))).startswith("a (Conv2D).filters: must be")
    assert message(nested("inner", {"class_name": "Conf2D", "config": {"name": "a"}})).startswith(
        "inner (Functional): a (Conf2D): unknown layer class"
    )


def test_a_call_with_training_false_stays_so():
    drop = {"class_name": "Dropout", "config": {"name": "drop", "rate": 0.5}}
    module = chained({**drop, "inbound_nodes": [[["in", 0, 0, {"training": False}]]]}).train()
    x = torch.rand(1, 3, 8, 8)
    assert torch.equal(module(x), x)
    assert copy.deepcopy(module).train()(x).equal(x)


def test_keywords_of_a_call_that_nobody_understands_are_refused():
    called = {**conv(), "inbound_nodes": [[["in", 0, 0, {"alpha": 3}]]]}
    assert "is called with `alpha`: 3, which it does not take" in message(called)


def test_channels_first_models_take_and_give_tensors_as_they_are():
    first = {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 3, 8, 10]}}
    module = network(layers=[first, conv("c", data_format="channels_first", activation="relu")])
    last = network(layers=[{**first, "config": {"batch_input_shape": [None, 8, 10, 3]}}, conv("c", activation="relu")])
    last.load_state_dict(module.state_dict())
    x = torch.rand(2, 3, 8, 10)
    assert module.output_shapes == [[None, 2, 6, 8]]
    torch.testing.assert_close(module(x), last(x))


def test_penalties_are_those_of_the_formula():
    layer = dense(
        "d", kernel_regularizer={"class_name": "L1L2", "config": {"l1": 0.1, "l2": 0.2}}, bias_regularizer="l2"
    )
    module = chained(layer)
    weight, bias = module.d.weight, module.d.bias
    expected = 0.1 * weight.abs().sum() + 0.2 * weight.square().sum() + 0.01 * bias.square().sum()
    torch.testing.assert_close(module.penalty(), expected)


def test_frozen_layers_have_a_penalty_in_keras_2_only():
    layer = dense("d", kernel_regularizer="l2", trainable=False)
    assert chained(layer).penalty() > 0
    modern = {"name": "in", "batch_shape": [None, 8, 8, 3]}
    model = {"layers": [{"class_name": "InputLayer", "config": modern}, layer]}
    assert network(layers={"class_name": "Sequential", "config": model, "module": "keras"}).penalty() is None


def test_a_misspelt_regularizer_is_an_unknown_key():
    assert "`kernell_regularizer`: unknown key" in message(dense("d", kernell_regularizer="l2"))


def test_one_layer_in_two_modes_is_refused():
    calls = [[["in", 0, 0, {"training": False}]], [["in", 0, 0, {}]]]
    norm = {"class_name": "BatchNormalization", "config": {"name": "n"}, "inbound_nodes": calls}
    assert "is called with different values of `training`" in message(norm)


def test_a_problem_found_while_building_is_no_mild_one():
    initializer = {"class_name": "Zeros", "config": {"valeu": 1}}
    with pytest.raises(NetworkError, match="valeu"):
        network(lenient=True, layers=[INPUT, conv(kernel_initializer=initializer)])


@pytest.mark.parametrize("shape", [[None, [1]], [None, "4"], "x", [3.5], {"a": 1}, [None, 3.5]])
def test_odd_input_shapes_are_refused(shape):
    first = {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": shape}}
    with pytest.raises(NetworkError):
        network(layers=[first, dense()])


@pytest.mark.parametrize("call", [[0, 0, {}], ["in", "0", 0, {}], ["in", 0, {}, {}]])
def test_odd_calls_are_refused(call):
    with pytest.raises(NetworkError, match="inbound_nodes"):
        network(layers=[INPUT, {**dense(), "inbound_nodes": [[call]]}])


@pytest.mark.parametrize("value", ["l3", {"class_name": "L2", "config": {"l2": -1}}, {"class_name": "Orthogonal"}])
def test_odd_regularizers_are_refused(value):
    assert "`kernel_regularizer`" in message(dense("d", kernel_regularizer=value))


def test_a_nested_model_called_without_training_stays_so():
    norm = {"class_name": "BatchNormalization", "config": {"name": "n"}}
    inner = nested("inner", norm)
    module = chained({**inner, "inbound_nodes": [[["in", 0, 0, {"training": False}]]]}).train()
    module(torch.rand(4, 3, 8, 8))
    assert module.get_submodule("inner.n").running_mean.abs().sum() == 0
