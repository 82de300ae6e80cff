"""Reading: every container means the same graph, and every fault of one is reported."""

import json
import subprocess
import sys

import pytest

from rmldnn.errors import NetworkError
from rmldnn.networks.graph import Ref
from rmldnn.networks.keras import read

INPUT = {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 8, 8, 3]}}


def conv(name, *sources, **config):
    layer = {"class_name": "Conv2D", "config": {"name": name, "filters": 2, "kernel_size": 3, **config}}
    return {**layer, "inbound_nodes": [[[source, 0, 0, {}] for source in sources]]} if sources else layer


def merge(name, *sources):
    return {"class_name": "Add", "config": {"name": name}, "inbound_nodes": [[[s, 0, 0, {}] for s in sources]]}


def names(graph):
    return [node.name for node in graph.nodes]


def messages(layers):
    with pytest.raises(NetworkError) as caught:
        read(layers)
    return [str(problem) for problem in caught.value.problems]


def message(layers):
    (only,) = messages(layers)
    return only


def test_a_list_is_a_chain():
    graph = read([INPUT, conv("a"), conv("b")])
    assert [node.inbound for node in graph.nodes] == [((),), ((Ref("in"),),), ((Ref("a"),),)]


def test_a_list_has_no_title():
    assert read([INPUT]).title == "Unknown"


@pytest.mark.parametrize("container", ["Sequential", "Model", "Functional"])
def test_a_container_has_its_name_as_title(container):
    assert read({"class_name": container, "config": {"name": "net", "layers": [INPUT, conv("a")]}}).title == "net"


def test_an_old_sequential_is_a_bare_list():
    assert names(read({"class_name": "Sequential", "config": [INPUT, conv("a")]})) == ["in", "a"]


def test_a_file_is_read(tmp_path):
    file = tmp_path / "net.json"
    file.write_text(json.dumps({"class_name": "Sequential", "config": {"name": "net", "layers": [INPUT]}}))
    assert read(str(file)).place == str(file)


@pytest.mark.parametrize(
    "config",
    [{"batch_input_shape": [None, 8, 8, 3]}, {"batch_shape": [None, 8, 8, 3]}, {"input_shape": [8, 8, 3]}],
)
def test_a_first_layer_with_a_shape_has_an_input_before_it(config):
    graph = read([conv("a", **config)])
    assert names(graph) == ["a_input", "a"]
    assert graph.nodes[0].config == {"batch_input_shape": [None, 8, 8, 3]}


def test_the_shape_that_a_sequential_was_built_with_is_its_input():
    model = {"class_name": "Sequential", "config": {"layers": [conv("a")], "build_input_shape": [None, 8, 8, 3]}}
    assert names(read(model)) == ["a_input", "a"]


def test_an_input_may_give_its_shape_without_the_batch():
    graph = read([{"class_name": "Input", "config": {"input_shape": [8, 8, 3]}}])
    assert graph.nodes[0].config["batch_input_shape"] == [None, 8, 8, 3]


def test_tuples_of_a_saved_model_are_lists():
    shape = {"class_name": "__tuple__", "items": [None, 8, 8, 3]}
    graph = read([{"class_name": "InputLayer", "config": {"batch_input_shape": shape}}])
    assert graph.nodes[0].config["batch_input_shape"] == [None, 8, 8, 3]


def test_layers_without_a_name_get_the_one_that_keras_gives():
    pooling = {"class_name": "MaxPooling2D", "config": {}}
    taken = {"class_name": "MaxPooling2D", "config": {"name": "max_pooling2d_1"}}
    assert names(read([INPUT, pooling, pooling, taken])) == [
        "in",
        "max_pooling2d",
        "max_pooling2d_2",
        "max_pooling2d_1",
    ]


def test_the_outer_name_wins():
    assert names(read([{**INPUT, "name": "outer"}])) == ["outer"]


def test_calls_are_sorted_where_the_file_is_not():
    graph = read([conv("b", "a"), conv("a", "in"), INPUT])
    assert [call.node.name for call in graph.calls] == ["in", "a", "b"]


def test_what_feeds_no_layer_is_an_output():
    assert read([INPUT, conv("a", "in"), conv("b", "in")]).outputs == (Ref("a"), Ref("b"))


@pytest.mark.parametrize("outputs", [["a", 0, 0], [["a", 0, 0]]])
def test_named_outputs_are_the_outputs(outputs):
    config = {"layers": [INPUT, conv("a"), conv("b")], "input_layers": [["in", 0, 0]], "output_layers": outputs}
    assert read({"class_name": "Model", "config": config}).outputs == (Ref("a"),)


def test_keras_3_names_its_tensors_in_objects():
    tensor = {"class_name": "__keras_tensor__", "config": {"shape": [None, 8], "keras_history": ["in", 0, 0]}}
    layer = {**conv("a"), "inbound_nodes": [{"args": [tensor], "kwargs": {"mode": "x"}}]}
    assert read([INPUT, layer]).nodes[1].inbound == ((Ref("in"),),)


def test_a_model_that_is_not_trainable_freezes_its_layers():
    model = {"class_name": "Model", "config": {"trainable": False, "layers": [INPUT, conv("a")]}}
    assert [node.config["trainable"] for node in read(model).nodes] == [False, False]


@pytest.mark.parametrize(("version", "name"), [("2.4.0", "hard_sigmoid_of_keras_2"), (None, "hard_sigmoid")])
def test_hard_sigmoid_is_that_of_the_version(version, name):
    key = "batch_input_shape" if version else "batch_shape"
    first = {"class_name": "InputLayer", "config": {"name": "in", key: [None, 8]}}
    layers = [first, {"class_name": "Activation", "config": {"activation": "hard_sigmoid"}}]
    model = {"class_name": "Sequential", "config": {"layers": layers}, "module": "keras"}
    graph = read({**model, "keras_version": version} if version else model)
    assert graph.nodes[1].config["activation"] == name


def test_reading_imports_no_torch():
    code = f"import sys, rmldnn.networks.keras as k; k.read({[INPUT, conv('a')]!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_file_is_named_with_the_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert f"layers: `net.json` does not exist; paths are relative to the working directory, `{tmp_path}`" in message(
        "net.json"
    )


def test_broken_json_is_named_with_its_line(tmp_path):
    file = tmp_path / "net.json"
    file.write_text('{\n  "class_name": "Model",\n  "config" {}\n}')
    assert message(str(file)).startswith(f"{file}:3: not valid JSON: Expecting ':' delimiter")


NO_NETWORKS = {
    b"": "is empty",
    b"\x89HDF\xff": "neither text nor a file of Keras",
    b'{"class_name": "Sequential", "config": {"layers": [], "name": "a", "name": "b"}}': "`name` is written twice",
}


@pytest.mark.parametrize("content", NO_NETWORKS, ids=NO_NETWORKS.values())
def test_files_that_hold_no_network_are_refused(tmp_path, content):
    file = tmp_path / "net.json"
    file.write_bytes(content)
    assert message(str(file)).startswith(f"{file}: {NO_NETWORKS[content]}")


def test_a_folder_is_refused(tmp_path):
    assert message(str(tmp_path)).startswith(f"{tmp_path}: cannot be read: is a directory")


@pytest.mark.parametrize(
    ("layers", "fault"),
    [
        ([], "the network has no layers"),
        ({"class_name": "Sequentiel", "config": []}, "did you mean `Sequential`?"),
        ({"class_name": "Model", "config": {}}, "must be an object with a list `layers`"),
        ([3], "layers[0]: a layer is an object with `class_name` and `config`, got 3"),
        ([{"config": {}}], "layers[0]: `class_name` must name the layer's class"),
        ([{"class_name": "Add", "config": []}], "layers[0]: `config` must be an object"),
        ([INPUT, {**conv("a"), "inbound_nodes": "in"}], "layers[1]: `inbound_nodes` must be a list as Keras writes it"),
        ([conv("a")], "a (Conv2D): no input shape; give the first layer `batch_input_shape`"),
        ([{"class_name": "InputLayer", "config": {}}], "input_layer (InputLayer): no input shape"),
        ([INPUT, conv("a"), conv("a")], "a: 2 layers have this name (Conv2D, Conv2D); give each its own `name`"),
        ([INPUT, conv("stem"), conv("b", "stam")], "`stam` is no layer of this network; did you mean `stem`?"),
        ([INPUT, {"class_name": "Conv2d_", "config": {}}], "unknown layer class `Conv2d_`; did you mean `Conv2D`?"),
        ([INPUT, conv("a", "in", "in")], "a (Conv2D): takes one input, got 2 (`in`, `in`); join them first"),
        ([INPUT, merge("a", "in", "b"), conv("b", "a")], "layers feed each other in a circle: a -> b -> a"),
        ([INPUT, {**conv("a"), "inbound_nodes": [[["in", 1, 0, {}]]]}], "call 1 of `in`, which has only 1"),
        ([INPUT, {**conv("a"), "inbound_nodes": [[["in", -1, 0, {}]]]}], "call -1 of `in`, which has only 1"),
        ([INPUT, {"class_name": "Add", "config": {"class_name": "__tuple__"}}], "`config` must be an object"),
        ([INPUT, conv(["a"])], 'layers[1]: `name` must be a text, got ["a"]'),
        ([INPUT, conv({"a": 1})], 'layers[1]: `name` must be a text, got {"a": 1}'),
        ([INPUT, conv("a\nb")], r"layers[1]: `name` 'a\nb' holds a character that cannot be printed; change it"),
        ([INPUT, conv("\ud800")], r"layers[1]: `name` '\ud800' holds a character that cannot be printed; change it"),
        ("", "`layers` is empty; give the path of a Keras JSON file"),
        ("a\0b", "cannot be read"),
    ],
)
def test_a_fault_is_named_with_its_remedy(layers, fault):
    text = message(layers)
    assert fault in text or fault in text.replace("b -> a -> b", "a -> b -> a")


def test_outputs_must_exist():
    model = {"class_name": "Model", "config": {"layers": [INPUT, conv("head")], "output_layers": [["haed", 0, 0]]}}
    assert "output `haed` is no layer; did you mean `head`?" in message(model)


def test_inputs_must_be_listed():
    model = {"class_name": "Model", "config": {"layers": [INPUT, {**INPUT, "name": "b"}], "input_layers": ["in", 0, 0]}}
    assert message(model) == "b (InputLayer): is not listed in `input_layers`; add it there"


def test_all_faults_are_reported_at_once(tmp_path):
    file = tmp_path / "net.json"
    layers = [INPUT, conv("a", "x"), conv("b", "y")]
    file.write_text(json.dumps({"class_name": "Model", "config": {"layers": layers}}))
    assert [text.split(" ")[0] for text in messages(str(file))] == [f"{file}:"] * 2


@pytest.mark.parametrize("name", [[], {}, "", None])
def test_an_empty_name_is_none(name):
    assert names(read([INPUT, conv(name)])) == ["in", "conv2d"]


@pytest.mark.parametrize("config", [{}, {"keras_history": "a"}, {"keras_history": ["in", 0]}, 3])
def test_a_keras_history_of_another_shape_is_refused(config):
    tensor = {"class_name": "__keras_tensor__", "config": config}
    layer = {**conv("a"), "inbound_nodes": [{"args": [tensor], "kwargs": {}}]}
    assert message([INPUT, layer]).startswith("a (Conv2D): `keras_history` of its input must be [layer, call, tensor]")


def test_a_keras_tensor_without_config_is_refused():
    layer = {**conv("a"), "inbound_nodes": [{"args": [{"class_name": "__keras_tensor__"}]}]}
    assert "`keras_history` of its input must be [layer, call, tensor]" in message([INPUT, layer])


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("output_layers", [["a", 5, 0]], "output_layers: takes the result of call 5 of `a`, which has only 1"),
        ("output_layers", [["a", -1, 0]], "output_layers: takes the result of call -1 of `a`, which has only 1"),
        ("output_layers", 5, "output_layers: names no layer; list the network's outputs"),
        ("input_layers", [["in", 0, 0], ["a", 0, 0]], 'input_layers: ["a", 0, 0] is no input; list the `InputLayer`s'),
        ("input_layers", [["in", 0, 0], ["in", 0, 0]], "input_layers: lists `in` 2 times; list each input once"),
    ],
)
def test_ends_of_a_model_must_be_tensors_of_it(key, value, fault):
    assert fault in message({"class_name": "Model", "config": {"layers": [INPUT, conv("a")], key: value}})


@pytest.mark.parametrize(
    ("text", "fault"), [("[" * 100_000, "brackets are nested too deep"), ("[" + "1" * 100_000 + "]", "")]
)
def test_a_file_beyond_what_can_be_read_is_refused(tmp_path, text, fault):
    file = tmp_path / "net.json"
    file.write_text(text)
    assert message(str(file)).startswith(f"{file}: {fault}")


@pytest.mark.parametrize(
    ("layer", "what"),
    [
        ({"class_name": "Lambda", "config": {"name": "a", "function": ["4wEAAA==", None, None]}}, "a `Lambda` layer"),
        (conv("a", activation={"class_name": "__lambda__", "config": {"code": "4wEA"}}), "`activation`"),
    ],
)
def test_code_is_refused_by_name(layer, what):
    assert f"a ({layer['class_name']}): {what} holds Python code, which is not run" in message([INPUT, layer])


def counted(keras, outputs, calls):
    """A model in a model, called twice; how its calls are numbered depends on the generation of Keras."""
    key = "batch_shape" if keras == 3 else "batch_input_shape"
    first = {"class_name": "InputLayer", "config": {"name": "x", key: [None, 4]}}
    inner = {"class_name": "Functional", "name": "m", "config": {"layers": [first]}, "inbound_nodes": calls}
    config = {"layers": [{**first, "name": "in"}, inner], "output_layers": outputs}
    version = {"module": "keras"} if keras == 3 else {"keras_version": "2.15.0"}
    return read({"class_name": "Functional", "config": config, **version})


def test_keras_2_counts_the_creation_of_a_model_everywhere():
    graph = counted(2, [["m", 1, 0], ["m", 2, 0]], [[["in", 0, 0, {}]], [["m", 1, 0, {}]]])
    assert [ref.call for ref in graph.outputs] == [0, 1]
    assert graph.nodes[1].inbound[1][0].call == 0


def test_keras_3_counts_it_only_where_the_network_ends():
    def tensor(name):
        return {"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}], "kwargs": {}}

    graph = counted(3, [["m", 1, 0], ["m", 2, 0]], [tensor("in"), tensor("m")])
    assert [ref.call for ref in graph.outputs] == [0, 1]
    assert graph.nodes[1].inbound[1][0].call == 0


def test_inputs_by_name_come_in_the_order_of_their_names():
    layers = [{**INPUT, "name": name, "config": {"batch_input_shape": [None, 4, 4, 1]}} for name in ("zz", "aa")]
    add = {"class_name": "Add", "name": "add", "config": {}, "inbound_nodes": [[["zz", 0, 0, {}], ["aa", 0, 0, {}]]]}
    names = {"zz": ["zz", 0, 0], "aa": ["aa", 0, 0]}
    graph = read({"class_name": "Model", "config": {"layers": [*layers, add], "input_layers": names}})
    assert [ref.layer for ref in graph.inputs] == ["aa", "zz"]
