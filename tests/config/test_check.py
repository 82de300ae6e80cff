import pytest

from rmldnn.config.check import check


def set_at(values, path, value):
    *parents, last = path.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
    values[last] = value


def messages(content):
    return [str(problem) for problem in check(content)]


def test_a_correct_configuration_has_no_problem(classifier):
    assert messages(classifier) == []


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("learning_rat", 1, "learning_rat: `learning_rat`: unknown key"),
        ("batch_size", 8, "batch_size: `batch_size`: unknown key here; it belongs to `data`"),
        ("momentum", 0.5, "momentum: `momentum`: unknown key here; it belongs to `optimizer`"),
        ("num_epochs", 0, "num_epochs: must be a positive integer, got 0"),
        ("num_epochs", 2.5, "num_epochs: must be a positive integer, got 2.5"),
        ("num_epochs", True, "num_epochs: must be a positive integer, got true"),
        ("data.num_epochs", 3, "data.num_epochs: `num_epochs`: unknown key here; it belongs to the top level"),
        ("data", [], "data: must be an object, got []"),
        ("data.input_typ", "x", "data.input_typ: `input_typ`: unknown key in data; did you mean `input_type`?"),
        ("data.input_type", "image", "data.input_type: there is no source `image`; did you mean `images`?"),
        ("data.input_type", 3, "data.input_type: must be a name, got 3"),
        ("data.input_type", "labels", "data.input_type: `labels` can only be a target; set `target_type`"),
        ("data.grayscale", "yes", 'data.grayscale: must be true or false, got "yes"'),
        ("data.batch_size", "16", 'data.batch_size: must be a positive integer or `auto`, got "16"'),
        ("data.transforms", {"resize": 1}, "data.transforms: must be a list such as"),
        (
            "data.transforms",
            ["resize"],
            'data.transforms[0]: must be an object of one key such as {"resize": [28, 28]}',
        ),
        ("data.transforms", [{"rezise": 1}], "data.transforms[0].rezise: there is no transform `rezise`; did you mean"),
        (
            "data.transforms",
            [{"resize": 28}],
            "data.transforms[0].resize: must be a list of positive integers, got 28",
        ),
        ("data.transforms", [{"normalize": {"st": 1}}], "data.transforms[0].normalize.st: `st`: unknown key in"),
        (
            "data.transforms",
            [{"normalize": 1}],
            "data.transforms[0].normalize: must be an object with keys `mean`, `std`",
        ),
        ("data.target_path", "./x", "data.target_path: labels are names of folders"),
        ("loss.function", "NLLL", "loss.function: there is no loss `NLLL`; did you mean `NLL`?"),
        ("loss", {"weight": [1.0]}, "loss: `function` is missing; known here: `BCE`, `BCEWithLogits`, "),
        ("loss", [{"function": "Dice", "weight": "much"}], "loss[0].weight: must be "),
        ("loss", [{"function": "Dice", "weight": -1}], "loss[0].weight: must be a number of at least 0, got -1"),
        (
            "loss",
            [{"function": "Dice", "weight": 1, "factor": 2}],
            "loss[0].weight: a number is the weight of the loss",
        ),
        ("loss", [{"function": "Dise"}], "loss[0].function: there is no loss `Dise`; did you mean `Dice`?"),
        ("loss", ["Dice"], "loss[0]: must be an object such as"),
        ("loss", [], "loss: lists no loss"),
        ("metrics", ["IoU", "Presision"], "metrics[1]: there is no metric `Presision`; did you mean `Precision`?"),
        (
            "metrics",
            [{"name": "IoU", "averge": "micro"}],
            "metrics[0].averge: `averge`: unknown key in metrics[0] IoU; did",
        ),
        ("metrics", {"name": "IoU"}, "metrics: must be a list such as"),
        ("metrics", "F1", 'metrics: must be a list such as ["IoU", {"name": "AUROC"}], got "F1"; write ["F1"]'),
        ("loss.weight", 2.0, "loss.weight: must be a list of numbers at least 0 or null, got 2.0; write [2.0]"),
        ("early_stopping", {"patience": 0}, "early_stopping.patience: must be a positive integer, got 0"),
        ("checkpoints", {"keep": {"last": 0}}, "checkpoints.keep: must be an object with `last` and `best`"),
        ("loss", {"fonction": "NLL"}, "loss.fonction: `fonction`: unknown key in loss; did you mean `function`?"),
        ("optimizer", {"typ": "SGD"}, "optimizer.typ: `typ`: unknown key in optimizer; did you mean `type`?"),
        ("optimizer.lr_scheduler", {"typ": "Step"}, "optimizer.lr_scheduler.typ: `typ`: unknown key in"),
        ("data.transforms", [{"resize": [float("inf"), 1]}], "data.transforms[0].resize: must be a list of"),
        ("loss.sourc", "x", "loss.sourc: `sourc`: unknown key in loss NLL"),
        ("optimizer.learning_rate", -0.1, "optimizer.learning_rate: must be a number greater than 0, got -0.1"),
        ("optimizer.beta1", 0.9, "optimizer.beta1: `beta1`: unknown key here; `beta1` is for Adam, AdamW"),
        (
            "optimizer.momentun",
            0.9,
            "optimizer.momentun: `momentun`: unknown key in optimizer SGD; did you mean `momentum`?",
        ),
        (
            "optimizer.lr_scheduler",
            "Step",
            'optimizer.lr_scheduler: must be an object such as {"type": "Step"}, got "Step"',
        ),
        (
            "optimizer.lr_scheduler",
            {"type": "Step", "gamma": 0.5},
            "optimizer.lr_scheduler: `step_size` is missing; it must be",
        ),
        ("lr_scheduler", {}, "lr_scheduler: `lr_scheduler`: unknown key here; it belongs to `optimizer`"),
        ("checkpoints", {"sav": "x"}, "checkpoints.sav: `sav`: unknown key in checkpoints; did you mean `save`?"),
        ("checkpoints", {"interval": 0}, "checkpoints.interval: must be a positive integer, got 0"),
        ("layers", 3, "layers: must be "),
        ("network", {"type": "unet2d"}, "network: `layers` and `network` both say what the network is; remove one"),
        ("num_classes", 3, "num_classes: `num_classes`: unknown key here; it belongs to `network`"),
    ],
)
def test_each_fault_is_named_with_path_value_and_remedy(classifier, path, value, message):
    set_at(classifier, path, value)
    (problem,) = messages(classifier)
    assert problem.startswith(message)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("layers", "`layers` is missing"),
        ("data", "`data` is missing: where samples come from"),
        ("loss", "`loss` is missing; training needs"),
        ("optimizer", "`optimizer` is missing; training needs"),
        ("data.target_type", "data: `target_type` is missing; training needs targets, such as `labels`"),
    ],
)
def test_each_thing_that_training_needs_is_asked_for(classifier, path, message):
    parent, _, key = path.rpartition(".")
    del (classifier[parent] if parent else classifier)[key]
    assert messages(classifier)[0].startswith(message)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("unet", 'network: must be an object such as {"type": "..."}, got "unet"'),
        ({"num_classes": 3}, "network: `type` is missing; known here: `dcgan_discriminator`, "),
        ({"typ": "unet"}, "network.typ: `typ`: unknown key in network; did you mean `type`?"),
        ({"type": "unett"}, "network.type: there is no network family `unett`; did you mean `unet`?"),
        ({"type": "unet", "backbon": "vgg16"}, "network.backbon: `backbon`: unknown key in network unet; did you mean"),
        ({"type": "unet", "backbone": "vgg"}, "network.backbone: must be one of `vgg16`, `vgg19`, "),
        ({"type": "vgg16", "backbone": "vgg16"}, "network.backbone: `backbone`: unknown key here; `backbone` is for"),
        ({"type": "dcgan_generator", "input_shape": [8]}, "network.input_shape: `input_shape`: unknown key in network"),
        ({"type": "unet", "layers": []}, "network.layers: `layers`: unknown key here; it belongs to the top level"),
    ],
)
def test_each_fault_of_a_network_is_named_with_path_value_and_remedy(classifier, network, message):
    del classifier["layers"]
    classifier["network"] = network
    (problem,) = messages(classifier)
    assert problem.startswith(message)


def test_a_network_in_place_of_layers(classifier):
    del classifier["layers"]
    classifier["network"] = {"type": "UNet", "backbone": "resnet34", "num_classes": 3}
    assert messages(classifier) == []


@pytest.mark.parametrize("absent", ["layers", "network"])
def test_null_is_no_network(classifier, absent):
    classifier["network"] = {"type": "unet"}
    classifier[absent] = None
    assert messages(classifier) == []


def test_neither_layers_nor_a_network(classifier):
    classifier |= {"layers": None, "network": None}
    (problem,) = messages(classifier)
    assert problem.startswith("`layers` is missing; name a Keras file or list the layers there, or choose a known")


def test_a_misspelt_network_is_not_missing_too(classifier):
    del classifier["layers"]
    classifier["netwrk"] = {"type": "unet"}
    assert messages(classifier) == ["netwrk: `netwrk`: unknown key; did you mean `network`?"]


def test_a_key_for_one_side_only(classifier):
    classifier["data"]["input_grayscale"] = False
    assert messages(classifier) == []


def test_names_of_components_in_any_case(classifier):
    classifier["loss"]["function"] = "nll"
    classifier["optimizer"]["type"] = "sgd"
    classifier["data"]["input_type"] = "Images"
    assert messages(classifier) == []


def test_prediction_needs_neither_loss_nor_optimizer():
    assert messages({"layers": [], "data": {"input_type": "images", "test_input_path": "./test/"}}) == []


def test_evaluation_needs_a_loss():
    data = {"input_type": "images", "target_type": "labels", "test_input_path": "./test/"}
    assert messages({"layers": [], "data": data})[0].startswith("`loss` is missing; it is needed to evaluate")


def test_a_run_that_does_nothing_is_refused():
    assert "needs `input_path` to train" in messages({"layers": [], "data": {"input_type": "images"}})[0]
