import json

import pytest

from rmldnn.config import catalog, spec, translate
from rmldnn.errors import ConfigError


@pytest.fixture
def compose(write, classifier):
    """Composes the classifier's file with changes of the command line."""

    def compose_with(*overrides, content=None):
        composed = translate.compose(spec.load(write(content or classifier)), overrides)
        return composed.values, composed.notices

    return compose_with


def faults(compose, *overrides, content=None):
    with pytest.raises(ConfigError) as caught:
        compose(*overrides, content=content)
    return str(caught.value).splitlines()


def test_the_file_wins_over_the_groups_and_the_groups_fill_in(compose):
    config, _ = compose()
    assert config["optimizer"] == {
        "type": "SGD",
        "learning_rate": 0.1,
        "momentum": 0.5,
        "dampening": 0.0,
        "weight_decay": 0.0,
        "nesterov": False,
    }
    assert config["data"]["batch_size"] == 64
    assert config["seed"] == 0


def test_the_command_line_wins_over_the_file(compose):
    config, _ = compose("optimizer.learning_rate=0.02", "num_epochs=3", "data.batch_size=8", "layers=other.json")
    assert config["optimizer"]["learning_rate"] == 0.02
    assert config["num_epochs"] == 3
    assert config["data"]["batch_size"] == 8
    assert config["layers"] == "other.json"


def test_a_sum_of_losses_and_a_chain_of_schedules_are_lists(compose):
    terms = [{"function": "Dice", "weight": 0.25}, {"function": "NLL"}]
    chain = [{"type": "Cosine"}, {"type": "Exponential", "gamma": 0.5}]
    config, _ = compose(f"loss={json.dumps(terms)}", f"optimizer.lr_scheduler={json.dumps(chain)}")
    assert [term["function"] for term in config["loss"]] == ["Dice", "NLL"]
    assert config["loss"][0]["weight"] == 0.25
    assert [link["type"] for link in config["optimizer"]["lr_scheduler"]] == ["Cosine", "Exponential"]


def test_of_a_list_and_a_name_the_last_word_counts(compose):
    words = ("loss=[{function: Dice}]", "loss=mse")
    assert compose(*words)[0]["loss"]["function"] == "MSE"
    assert [term["function"] for term in compose(*reversed(words))[0]["loss"]] == ["Dice"]


def test_a_list_of_a_command_line_is_checked_as_that_of_a_file(compose):
    (line,) = faults(compose, "loss=[{function: NNL}]")
    assert line.startswith("command line: loss[0].function: there is no loss `NNL`; did you mean `NLL`?")


def test_a_list_of_transforms_stays_a_list(compose, classifier):
    assert compose()[0]["data"]["transforms"] == classifier["data"]["transforms"]


def test_layers_pass_by_untouched(compose, classifier):
    classifier["layers"] = [{"class_name": "Dense", "config": {"name": "${x}", "units": 2}}]
    config, _ = compose()
    assert config["layers"] == classifier["layers"]


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("loss=mse", "loss.function", "MSE"),
        ("loss=MSE", "loss.function", "MSE"),
        ("loss.function=mse", "loss.function", "MSE"),
        ("optimizer.type=Adam", "optimizer.type", "Adam"),
        ("scheduler=exponential", "optimizer.lr_scheduler.type", "Exponential"),
        ("optimizer.lr_scheduler.type=Exponential", "optimizer.lr_scheduler.type", "Exponential"),
        ("data.target_type=images", "data.target_type", "images"),
    ],
)
def test_the_command_line_chooses_components_in_the_words_of_the_file(compose, override, path, value):
    more = {
        "optimizer.lr_scheduler.type": ["optimizer.lr_scheduler.gamma=0.5"],
        "data.target_type": ["data.target_path=x"],
    }
    config, _ = compose(override, *more.get(path, []))
    for part in path.split("."):
        config = config[part]
    assert config == value


def test_another_optimizer_leaves_out_the_keys_that_only_the_former_had_and_says_so(compose):
    config, notices = compose("optimizer=adam")
    assert config["optimizer"]["learning_rate"] == 0.1
    assert "momentum" not in config["optimizer"]
    (notice,) = notices
    assert "optimizer.momentum: left out, since the command line chose adam" in str(notice)
    assert "config.json:" in str(notice)


def test_other_targets_keep_the_transforms(compose, classifier):
    config, notices = compose("target=images", "data.target_path=x")
    assert config["data"]["transforms"] == classifier["data"]["transforms"]
    assert notices == []


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "optimizer.learning_rat=1",
            "command line: optimizer.learning_rat: `learning_rat`: unknown key in optimizer SGD; did",
        ),
        (
            "optimizer.learning_rate=-1",
            "command line: optimizer.learning_rate: must be a number greater than 0, got -1",
        ),
        ("num_epochs=three", 'command line: num_epochs: must be a positive integer, got "three"'),
        (
            "num_epochs=1,2",
            "command line: `num_epochs=1,2` names several values; a run takes one, and -m sweeps over all of them",
        ),
        ("network=unett", "command line: network: there is no network family `unett`; did you mean `unet`?"),
        ("network._target_=os.system", "command line: network._target_: cannot be set here"),
        ("loss=dise", "command line: loss: there is no loss `dise`"),
        ("num_epochs", "command line: cannot read `num_epochs`; write key=value"),
        ("a=[1", "command line: cannot read `a=[1`; `[` and `]` must be as many; write 'a=[1,2]' in quotes"),
        ("a={b:1", "command line: cannot read `a={b:1`; `{` and `}` must be as many"),
        ("~optimzer", "command line: optimzer: there is no `optimzer` to take away; did you mean `optimizer`?"),
        ("hydra.run.dir=x", "command line: hydra.run.dir: cannot be set here"),
        ("hydra/launcher=joblib", "command line: hydra/launcher: cannot be set here; it is about sweeps: add -m"),
        ("hydra/sweeper=optuna", "command line: hydra/sweeper: cannot be set here; it is about sweeps: add -m"),
        ("hydra.sweep.dir=x", "command line: hydra.sweep.dir: cannot be set here; it is about sweeps: add -m"),
        ("loss._target_=os.system", "command line: loss._target_: cannot be set here"),
        ("experiment=other", "command line: experiment: cannot be set here"),
        ("loss@foo=mse", "command line: loss@foo: cannot be set here"),
        ("data=labels", "command line: data: `labels` can only be a target"),
        ("loss=", "command line: loss: there is no loss ``"),
        ("network=[a]", "command line: network: names a component, such as network="),
        ("loss=[a]", "command line: loss[0]: must be an object such as"),
        ("=3", "command line: cannot read `=3`"),
        ("nothing.at.all=1", "command line: nothing: `nothing`: unknown key"),
    ],
)
def test_a_wrong_override_is_named_as_the_command_lines(compose, override, message):
    assert faults(compose, override)[0].startswith(message)


@pytest.mark.parametrize("plus", ["", "+", "++"])
def test_a_plus_before_a_key_makes_no_difference(compose, plus):
    config, _ = compose(f"{plus}num_epochs=7", f"{plus}accumulate=2")
    assert (config["num_epochs"], config["accumulate"]) == (7, 2)


@pytest.mark.parametrize("override", ["scheduler=null", "optimizer.lr_scheduler=null", "~optimizer.lr_scheduler"])
def test_a_schedule_is_taken_away(compose, classifier, override):
    classifier["optimizer"]["lr_scheduler"] = {"type": "Exponential", "gamma": 0.5}
    config, notices = compose(override)
    assert not config["optimizer"].get("lr_scheduler")
    assert notices == []


@pytest.fixture
def segmenter(classifier):
    """A file that names a family of the zoo."""
    del classifier["layers"]
    classifier["network"] = {"type": "UNet", "backbone": "resnet34", "num_classes": 3}
    return classifier


def test_a_key_of_the_same_name_and_another_type_is_left_out(compose, segmenter):
    segmenter["network"] = {"type": "unet2d", "num_classes": 3, "filters": 8}
    config, notices = compose("network=unet", content=segmenter)
    assert config["network"]["filters"] == [256, 128, 64, 32, 16]
    assert config["network"]["num_classes"] == 3
    (notice,) = notices
    assert notice.path == "network.filters"
    assert notice.message.startswith("left out, since the command line chose unet, where it must be a list")


def test_a_family_of_the_file_gets_its_defaults(compose, segmenter):
    config, notices = compose(content=segmenter)
    assert notices == []
    assert config["layers"] is None
    assert config["network"] == {
        "type": "unet",
        "backbone": "resnet34",
        "num_classes": 3,
        "input_shape": [None, None, 3],
        "activation": "sigmoid",
        "filters": [256, 128, 64, 32, 16],
        "decoder": "upsampling",
        "batch_norm": True,
    }


def test_layers_leave_no_section_for_a_network(compose):
    assert "network" not in compose()[0]


def test_what_compiles_a_network_has_its_keys_with_a_family_too(compose, segmenter):
    assert compose("semantics=original", content=segmenter)[0]["semantics"] == "original"


@pytest.mark.parametrize("word", ["network=vgg16", "network=VGG16", "network.type=vgg16"])
def test_a_family_on_the_command_line_replaces_the_layers(compose, word):
    config, _ = compose(word, "network.num_classes=2")
    assert config["layers"] is None
    assert (config["network"]["type"], config["network"]["num_classes"]) == ("vgg16", 2)


def test_replacing_the_layers_is_said(compose):
    (notice,) = compose("network=vgg16")[1]
    assert str(notice).endswith("config.json:4: layers: left out, since the command line chose vgg16")


def test_a_long_list_of_layers_is_replaced_too(compose, classifier):
    classifier["layers"] = [{"class_name": "Dense", "config": {"units": 2}}] * 1000
    assert compose("network=vgg16")[0]["layers"] is None


def test_another_family_leaves_out_the_keys_that_only_the_former_had_and_says_so(compose, segmenter):
    config, notices = compose("network=unet2d", content=segmenter)
    assert config["network"]["num_classes"] == 3
    assert [problem.path for problem in notices] == ["network.backbone"]


def test_layers_on_the_command_line_replace_the_family_and_say_so(compose, segmenter):
    config, (notice,) = compose("layers=other.json", content=segmenter)
    assert (config["layers"], config.get("network")) == ("other.json", None)
    assert "network: left out, since the command line chose other layers" in str(notice)


@pytest.mark.parametrize("override", ["network=null", "~network"])
def test_a_family_that_is_taken_away_leaves_room_for_layers(compose, segmenter, override):
    config, _ = compose(override, "layers=other.json", content=segmenter)
    assert (config["layers"], config.get("network")) == ("other.json", None)


@pytest.mark.parametrize("override", ["layers=null", "~layers"])
def test_layers_that_are_taken_away_leave_room_for_a_family(compose, override):
    config, notices = compose(override, "network=vgg16")
    assert (config["layers"], config["network"]["type"]) == (None, "vgg16")
    assert notices == []


@pytest.mark.parametrize("override", ["layers=null", "~layers", "network=null"])
def test_one_of_layers_and_network_must_remain(compose, segmenter, classifier, override):
    content = segmenter if override == "network=null" else {**classifier, "layers": "net.json"}
    content.pop("network" if "layers" in override else "layers", None)
    assert "`layers` is missing; name a Keras file" in faults(compose, override, content=content)[0]


def test_layers_and_a_family_on_the_command_line_are_refused(compose):
    (fault,) = faults(compose, "network=vgg16", "layers=other.json")
    assert fault.startswith("command line: network: `layers` and `network` both say what the network is")


def test_the_node_of_a_family_takes_its_keys_and_no_others(compose, segmenter):
    node = translate.job(compose(content=segmenter)[0])["network"]
    assert node["_target_"] == "rmldnn.networks.zoo.segmentation.unet"
    assert node["backbone"] == "resnet34"
    assert "type" not in node


def test_layers_have_no_node(compose):
    assert translate.job(compose()[0])["network"] is None


@pytest.mark.parametrize("family", catalog.group("zoo"))
def test_every_family_composes_to_its_defaults(compose, family):
    form = catalog.find("zoo", family)
    defaults = {parameter.name: parameter.default for parameter in form.parameters.values()}
    assert compose(f"network={family}")[0]["network"] == {"type": form.name, **defaults}


@pytest.mark.parametrize("override", ["checkpoints=null", "~checkpoints"])
def test_checkpoints_are_taken_away(compose, classifier, override):
    classifier["checkpoints"] = {"save": "./model/"}
    assert compose(override)[0]["checkpoints"]["save"] is None


def test_text_that_looks_like_a_reference_is_text(compose, classifier):
    classifier["outfile"] = "${oc.env:HOME}/out.txt"
    assert compose()[0]["outfile"] == "${oc.env:HOME}/out.txt"


def test_a_section_that_is_null_is_absent(compose):
    content = {
        "layers": "net.json",
        "loss": None,
        "optimizer": None,
        "checkpoints": None,
        "data": {"input_type": "images", "test_input_path": "x"},
    }
    config, _ = compose(content=content)
    assert translate.job(config)["losses"] == []


def test_targets_of_nodes_come_from_the_catalog(compose):
    nodes = translate.job(
        compose("scheduler=step", "++optimizer.lr_scheduler.gamma=0.1", "optimizer.lr_scheduler.step_size=2")[0]
    )
    node = {"_target_": "rmldnn.losses.nll.nll", "_partial_": True}
    assert nodes["losses"] == [(1.0, {**node, "source": None, "weight": None, "ignore_index": None})]
    assert nodes["schedules"][0]["gamma"] == 0.1
    resize, normalize = nodes["data"]["_args_"][2]
    assert resize["size"] == [28, 28]
    assert normalize["_target_"] == "rmldnn.data.transforms.normalize.normalize"


def test_a_key_for_one_side_reaches_only_that_side(compose, classifier):
    classifier["data"] |= {"target_type": "images", "target_path": "x", "grayscale": False, "input_grayscale": True}
    inputs, targets = translate.job(compose()[0])["data"]["_args_"][:2]
    assert inputs["grayscale"] is True
    assert targets["grayscale"] is False


def test_yaml_and_json_compose_to_the_same(write, compose, classifier):
    import yaml

    path = write(yaml.safe_dump({"neural_network": classifier}), "config.yaml")
    assert translate.compose(spec.load(path)).values == compose()[0]


def test_three_question_marks_are_text(compose, classifier):
    classifier["outfile"] = "???"
    assert compose()[0]["outfile"] == "???"


def test_a_value_with_signs_of_the_grammar_is_text_as_a_whole(compose):
    assert compose("outfile=./täglich (1) & so/it's.txt")[0]["outfile"] == "./täglich (1) & so/it's.txt"


def test_single_layers_cannot_be_changed(compose):
    assert "single layers cannot be changed here" in faults(compose, "layers.0.config.units=5")[0]


@pytest.mark.parametrize(("text", "size"), [("1e6", 1_000_000), ("6.5E+6", 6_500_000)])
def test_an_exponent_makes_a_whole_number_as_in_a_file(compose, text, size):
    assert compose(f"engine.bucket_size={text}")[0]["engine"]["bucket_size"] == size


@pytest.mark.parametrize("text", ["1.5", "1e-6", "1e400"])
def test_other_numbers_are_no_whole_ones(compose, text):
    (fault,) = faults(compose, f"engine.bucket_size={text}")
    assert "engine.bucket_size: must be a positive integer, got " in fault


def test_a_list_as_json_writes_it(compose):
    config, _ = compose('data.transforms=[{"resize":[40,40]},{"normalize":{"mean":0.5}}]')
    assert config["data"]["transforms"] == [{"resize": [40, 40]}, {"normalize": {"mean": 0.5}}]


def test_values_may_hold_any_word(compose):
    assert compose("data.input_path=my_target_pics")[0]["data"]["input_path"] == "my_target_pics"


def test_several_losses_schedules_and_metrics_are_lists(compose, classifier):
    classifier["loss"] = [{"function": "Dice", "weight": 0.7}, {"function": "NLL", "weight": [1, 2], "factor": 0.3}]
    classifier["optimizer"]["lr_scheduler"] = [
        {"type": "Warmup", "num_epochs": 2, "start_factor": 0.1},
        {"type": "cosine"},
    ]
    classifier["metrics"] = ["iou", {"name": "F1", "average": "micro"}]
    nodes = translate.job(compose()[0])
    assert [(factor, node["_target_"], node["weight"]) for factor, node in nodes["losses"]] == [
        (0.7, "rmldnn.losses.overlap.dice", None),
        (0.3, "rmldnn.losses.nll.nll", [1, 2]),
    ]
    assert [node["_target_"] for node in nodes["schedules"]] == [
        "rmldnn.schedulers.warmup.warmup",
        "rmldnn.schedulers.annealing.cosine",
    ]
    assert [node.get("average") for node in nodes["metrics"]] == ["macro", "micro"]


def test_a_component_on_the_command_line_replaces_a_list(compose, classifier):
    classifier["loss"] = [{"function": "Dice"}, {"function": "NLL"}]
    classifier["optimizer"]["lr_scheduler"] = [{"type": "Exponential", "gamma": 0.5}]
    nodes = translate.job(
        compose(
            "loss=mse", "scheduler=step", "++optimizer.lr_scheduler.gamma=0.1", "optimizer.lr_scheduler.step_size=2"
        )[0]
    )
    assert [node["_target_"] for _, node in nodes["losses"]] == ["rmldnn.losses.mse.mse"]
    assert [node["_target_"] for node in nodes["schedules"]] == ["rmldnn.schedulers.decay.step"]
