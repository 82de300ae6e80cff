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


def test_a_word_of_python_is_no_name_for_parameters():
    assert "Python keeps the word `is` for itself; change `name`" in message(conv("is"))


@pytest.mark.parametrize("name", ["train", "graph", "training", "self", "_modules", "_graph"])
def test_names_that_torch_keeps_are_refused(name):
    assert f"torch keeps the name `{name}` for itself; change `name`" in message(conv(name))


@pytest.mark.parametrize("name", ['a"b', "a\\b"])
def test_names_that_break_the_code_are_refused(name):
    assert "torch cannot write the character" in message(conv(name))


def test_a_part_of_a_dotted_name_must_not_be_torchs():
    assert "layer `a` has a `training` of its own; change `name`" in message(conv("a.training"))


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
        ("kernel_regularizer", {"class_name": "L2", "config": {"l2": 0.01}}),
        ("kernel_regularizer", "l2"),
        ("kernel_constraint", {"class_name": "MaxNorm", "config": {}}),
        ("data_format", "channels_first"),
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
        ({"kernel_initializer": {"class_name": "HeNormal", "config": {"seed": 2**70}}}, "weight.seed: must fit into"),
    ],
)
def test_huge_numbers_are_refused_with_layer_and_key(config, fault):
    text = message(conv(**config))
    assert text.startswith("conv (Conv2D)")
    assert fault in text


def test_sharing_between_shapes_is_refused():
    small = {"class_name": "InputLayer", "config": {"name": "small", "batch_input_shape": [None, 5, 5, 3]}}
    twice = {**conv(), "inbound_nodes": [[["in", 0, 0, {}]], [["small", 0, 0, {}]]]}
    assert "is shared by inputs of 8 x 8 x 3 and 5 x 5 x 3; give it inputs of one shape" in message(small, twice)


def test_it_can_be_exported_and_scripted_by_torch():
    module = network(layers=[INPUT, conv(activation="relu", padding="same", strides=2), {"class_name": "Flatten"}])
    x = torch.rand(2, 3, 8, 8)
    assert torch.equal(torch.export.export(module, (x,)).module()(x), module(x))
