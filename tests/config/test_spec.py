import pytest

from rmldnn.config import spec, translate
from rmldnn.errors import ConfigError


def test_all_problems_come_at_once_with_file_and_line(write):
    path = write(
        """{
    "neural_network": {
        "num_epochs": -1,
        "layers": "net.json",
        "data": {"input_type": "images", "test_input_path": "x", "preload": 1, "preload": true},
        "loss": {"function": "NLL",
                 "weigth": null}
    }
}"""
    )
    with pytest.raises(ConfigError) as caught:
        spec.load(path)
    assert str(caught.value).splitlines() == [
        f"{path}:3: num_epochs: must be a positive integer, got -1",
        f"{path}:5: data.preload: `preload` is written twice, here and in line 5; remove one of them",
        f"{path}:7: loss.weigth: `weigth`: unknown key in loss NLL; did you mean `weight`?",
    ]


def test_a_fault_of_a_network_has_its_line(write):
    path = write(
        """{
    "neural_network": {
        "network": {"type": "unet",
                    "num_classes": 0},
        "data": {"input_type": "images", "test_input_path": "x"}
    }
}"""
    )
    with pytest.raises(ConfigError) as caught:
        spec.load(path)
    assert str(caught.value) == f"{path}:4: network.num_classes: must be a positive integer, got 0"


def test_lenient_turns_unknown_and_repeated_keys_into_warnings(write, classifier):
    classifier["loss"]["weigth"] = None
    classifier["data"]["color"] = "red"
    loaded = spec.load(write(classifier), lenient=True)
    assert sorted(problem.path for problem in loaded.warnings) == ["data.color", "loss.weigth"]
    assert "weigth" not in loaded.values["loss"]
    assert "color" not in loaded.values["data"]


def test_lenient_does_not_forgive_wrong_values(write, classifier):
    classifier["num_epochs"] = 0
    with pytest.raises(ConfigError):
        spec.load(write(classifier), lenient=True)


def test_the_other_spelling_of_test_tag(write, classifier):
    classifier["data"] |= {"training_tag": "train", "testing_tag": "test"}
    loaded = spec.load(write(classifier))
    assert loaded.values["data"]["test_tag"] == "test"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "a configuration is one object"),
        ('{"neural_netwrk": {}}', "did you mean `neural_network`?"),
        ('{"neural_network": 3}', "got 3"),
    ],
)
def test_a_file_that_is_no_configuration(write, text, message):
    with pytest.raises(ConfigError, match="config.json:1") as caught:
        spec.load(write(text))
    assert message in str(caught.value)


def test_lenient_leaves_the_good_key_that_an_unknown_one_resembles(write, classifier):
    classifier["optimizer.learning_rate"] = 0.5
    classifier["data"]["transforms[0]"] = 1
    loaded = spec.load(write(classifier), lenient=True)
    assert loaded.values["optimizer"]["learning_rate"] == 0.1
    assert loaded.values["data"]["transforms"] == classifier["data"]["transforms"]
    assert "optimizer.learning_rate" not in loaded.values
    assert "transforms[0]" not in loaded.values["data"]


def test_a_name_alone_stands_for_its_component(write, classifier):
    del classifier["layers"]
    values = spec.load(write(classifier | {"loss": "dice", "network": "unet", "optimizer": "Hessian"})).values
    assert [values[section] for section in ("loss", "network")] == [{"function": "dice"}, {"type": "unet"}]
    assert values["optimizer"] == {"type": "Hessian"}


def test_losses_and_schedules_may_be_lists_of_names(write, classifier):
    classifier["loss"] = ["NLL", {"function": "Dice", "weight": 2}]
    classifier["optimizer"]["lr_scheduler"] = "Cosine"
    values = spec.load(write(classifier)).values
    assert values["loss"] == [{"function": "NLL"}, {"function": "Dice", "weight": 2}]
    assert values["optimizer"]["lr_scheduler"] == {"type": "Cosine"}


def test_a_wrong_name_alone_has_its_line(write):
    path = write('{"neural_network": {\n"layers": "net.json",\n"data": {"test_input_path": "x", "type": "images"},\n'
                 '"loss": "MSEE"}}')  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        spec.load(path)
    assert str(caught.value) == f"{path}:4: loss.function: there is no loss `MSEE`; did you mean `MSE`?"


@pytest.mark.parametrize("given", [{}, {"task": "dnn"}, {"task": {"type": "DNN"}}])
def test_the_command_line_names_the_task(write, classifier, given):
    values = spec.load(write(classifier | given), task="dnn").values
    assert values["task"]["type"].lower() == "dnn"


def test_a_task_that_is_not_there_is_a_problem_of_the_command_line(write, classifier):
    with pytest.raises(ConfigError) as caught:
        spec.load(write(classifier), task="dnnn")
    assert str(caught.value) == "command line: --app: there is no task `dnnn`; did you mean `dnn`?"


INCOMPLETE = {
    "target_path": (lambda values: values["data"].update(target_type="masks"), ["data.target_path=./masks/"]),
    "loss": (lambda values: values.pop("loss"), ["loss=nll"]),
    "function": (lambda values: values["loss"].pop("function"), ["loss=nll"]),
    "optimizer": (lambda values: values.pop("optimizer"), ["optimizer=sgd", "optimizer.learning_rate=0.1"]),
    "type": (lambda values: values["optimizer"].pop("type"), ["optimizer=sgd"]),
    "layers": (lambda values: values.pop("layers"), ["network=unet"]),
    "input_path": (
        lambda values: [values["data"].pop(key) for key in ("input_path", "test_input_path")],
        ["data.input_path=./train/"],
    ),
    "data": (lambda values: values.pop("data"), ["data=images", "target=labels", "data.input_path=./train/"]),
    "input_type": (lambda values: values["data"].pop("input_type"), ["data=images"]),
}
"""What is missing, how, and what the command line says of it."""


@pytest.mark.parametrize("missing", INCOMPLETE)
def test_what_is_missing_may_come_from_the_command_line(write, classifier, missing):
    spoil, changes = INCOMPLETE[missing]
    spoil(classifier)
    path = write(classifier)
    translate.compose(spec.load(path, changes=changes), changes)


@pytest.mark.parametrize("missing", INCOMPLETE)
def test_what_is_missing_is_told_as_ever_where_the_command_line_says_nothing_of_it(write, classifier, missing):
    spoil, _ = INCOMPLETE[missing]
    spoil(classifier)
    path = write(classifier)
    with pytest.raises(ConfigError) as alone:
        spec.load(path)
    changes = ["num_epochs=3", *(["data.batch_size=4"] if "data" in classifier else [])]
    with pytest.raises(ConfigError) as composed:
        translate.compose(spec.load(path, changes=changes), changes)
    assert f"`{missing}` is missing" in str(alone.value) or f"needs `{missing}`" in str(alone.value)
    if missing != "data":  # of which defaults are there anyhow
        assert set(map(str, composed.value.problems)) == set(map(str, alone.value.problems))


def test_what_is_wrong_in_a_file_is_told_whatever_the_command_line_says(write, classifier):
    classifier["optimizer"]["learning_rate"] = -1
    del classifier["loss"]
    with pytest.raises(ConfigError) as caught:
        spec.load(write(classifier), changes=["optimizer.learning_rate=0.1"])
    assert [problem.path for problem in caught.value.problems] == ["optimizer.learning_rate"]
