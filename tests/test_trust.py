"""A configuration from a stranger runs nobody's code: each known trick is refused, or is only text."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
import zipfile

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from rmldnn import cli
from rmldnn.config import hydras, spec, translate

CANARY = "canary"
TOUCH = f"touch {CANARY}"


class Evil:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        import os

        return os.system, (TOUCH,)


@pytest.fixture
def refused(pictures, config, capsys):
    """Runs a spoilt configuration, in which nothing may happen, and gives what is said about it."""

    def run(spoil=lambda values: None, *changes, code=(2,), file="config.json"):
        spoil(config)
        if file == "config.json":
            (pictures / file).write_text(json.dumps({"neural_network": config}))
        got = cli.main([file, *changes])
        err = capsys.readouterr().err
        assert not list(pictures.rglob(CANARY))
        assert got in code, err
        assert "Traceback" not in err
        assert "not foreseen" not in err
        return err

    return run


TARGETS = [
    {"_target_": "os.system", "command": TOUCH},
    {"_target_": "subprocess.run", "args": ["touch", CANARY]},
    {"_target_": "builtins.exec", "_args_": [f"open('{CANARY}', 'w')"]},
    {"_target_": "functools.partial", "_args_": [{"_target_": "os.system"}], "command": TOUCH},
    {"_target_": "rmldnn.losses.overlap.dice.__globals__"},
    {"_target_": "hydra.utils.get_method", "path": "os.system"},
    {"_partial_": True, "_target_": "os.system"},
    {"_convert_": "all", "_recursive_": True, "_target_": "importlib.import_module", "name": "antigravity"},
]
PLACES = [
    "loss",
    "optimizer",
    "optimizer.lr_scheduler",
    "data",
    "data.transforms",
    "data.slicers",
    "network",
    "task",
    "metrics",
    "tracking",
    "checkpoints",
    "checkpoints.keep",
    "engine",
    "deepspeed",
    "deepspeed.zero_optimization",
    "early_stopping",
    "multigrid",
    "layers",
    "num_epochs",
]


def put(values, path, node):
    """Puts a node into a section, or in its place."""
    *parents, last = path.split(".")
    for part in parents:
        values = values.setdefault(part, {})
    there = values.get(last)
    values[last] = {**there, **node} if isinstance(there, dict) else [node] if last in LISTS else node


LISTS = ("transforms", "slicers", "metrics", "layers")


@pytest.mark.parametrize("node", TARGETS, ids=lambda node: node["_target_"])
@pytest.mark.parametrize("place", PLACES)
def test_no_place_of_a_file_takes_a_target(refused, place, node):
    assert "config.json:" in refused(lambda values: put(values, place, node))


NAMES = [
    "os.system",
    "builtins.exec",
    "rmldnn.losses.overlap.dice",
    "__class__",
    "../../evil",
    "dice.__globals__",
    "",
    "\0",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("section", "key"), [("loss", "function"), ("optimizer", "type"), ("task", "type"), ("data", "input_type")]
)
def test_only_names_of_the_catalog_choose(refused, section, key, name):
    refused(lambda values: values.setdefault(section, {}).update({key: name}))


@pytest.mark.parametrize(
    "keys",
    [
        {"plugins": ["antigravity"]},
        {"hydra": {"searchpath": ["file:///tmp"]}},
        {"defaults": [{"override /hydra/launcher": "joblib"}]},
        {"hydra/launcher": "submitit_local"},
        {"_target_": "os.system"},
        {"preset": "fast"},
        {"sys.path": ["/tmp"]},
    ],
    ids=lambda keys: next(iter(keys)),
)
def test_a_file_brings_no_plugins_and_nothing_of_hydras(refused, keys):
    assert "unknown key" in refused(lambda values: values.update(keys))


@pytest.mark.parametrize(
    "change",
    [
        "loss._target_=os.system",
        "+loss._target_=os.system",
        "++optimizer._target_=os.system",
        f"loss={{_target_: os.system, command: '{TOUCH}'}}",
        f"+data.transforms=[{{_target_: os.system, command: '{TOUCH}'}}]",
        "hydra.searchpath=[file:///tmp]",
        "+hydra.searchpath=[file:///tmp]",
        "hydra/launcher=joblib",
        "+hydra/callbacks=evil",
        "hydra.job_logging._target_=os.system",
        "+experiment=other",
        "experiment=file",
        "defaults=[a]",
        "+plugins=[antigravity]",
        "plugins=[antigravity]",
        "loss@data=nll",
        "+loss@optimizer=nll",
        "+preset=../../evil",
    ],
)
def test_nor_does_a_change_of_it(refused, change):
    assert "command line" in refused(lambda values: None, change)


TEXTS = [
    "${oc.env:HOME}",
    "${oc.decode:'{a:1}'}",
    "${hydra:runtime.cwd}",
    "${data.batch_size}",
    "\\${oc.env:HOME}",
    "\\\\${oc.env:HOME}",
    "\\\\\\${oc.env:HOME}",
    "${oc.${data.input_type}:HOME}",
    "$\\{oc.env:HOME}",
    "$HOME",
    "`id`",
    "$(id)",
    "%s",
    "{0}",
]


@pytest.mark.parametrize("text", TEXTS)
def test_what_looks_like_a_reference_is_text_in_a_file(tmp_path, config, text):
    config["data"]["input_path"] = text
    (tmp_path / "config.json").write_text(json.dumps({"neural_network": config}))
    assert translate.compose(spec.load(tmp_path / "config.json")).values["data"]["input_path"] == text


@given(st.text(alphabet="\\\\${}:.a'\"", max_size=12))
def test_any_text_of_a_file_is_text(text):
    assert OmegaConf.to_container(OmegaConf.create({"a": hydras.literal(text)}), resolve=True) == {"a": text}


@pytest.mark.parametrize(
    "text",
    [
        "${oc.env:HOME}",
        "${oc.decode:'{a:1}'}",
        "${hydra:runtime.cwd}",
        "${oc.create:{a:1}}",
        "$\\{oc.env\\:HOME\\}",
        "'${oc.env:HOME}'",
        "'\\\\${oc.env:HOME}'",
        "'${oc.${data.input_type}:HOME}'",
        "{a: '${oc.env:HOME}'}",
        "['${oc.env:HOME}']",
    ],
)
@pytest.mark.parametrize("key", ["data.input_path", "loss.function", "outfile"])
def test_a_change_asks_no_resolver(refused, monkeypatch, key, text):
    monkeypatch.setenv("HOME", "/secret")
    assert "/secret" not in refused(lambda values: None, f"{key}={text}")


@pytest.mark.parametrize("text", ["${oc.env:HOME}", "${oc.${data.input_type}:HOME}", "${data.input_path}"])
def test_nor_do_values_of_a_sweep(refused, text):
    def spoil(values):
        values["sweep"] = {"data.input_path": [text]}

    assert "config.json:" in refused(spoil, "-m")


@pytest.mark.parametrize("key", ["num_epochs=3,x", "data.x: 1", "loss function", "outfile\n"])
def test_nor_do_its_keys_bring_other_words(refused, key):
    assert "unknown key in sweep" in refused(lambda values: values.update(sweep={key: [1]}), "-m")


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        f"neural_network: !!python/object/apply:os.system ['{TOUCH}']",
        f"neural_network: !!python/object/new:os.system [['{TOUCH}']]",
        "neural_network: {loss: !!python/name:os.system }",
        LAUGHS,
    ],
    ids=["apply", "new", "name", "laughs"],
)  # fmt: skip
def test_yaml_makes_no_objects(pictures, refused, text):
    (pictures / "config.yaml").write_text(text)
    assert "config.yaml" in refused(file="config.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"neural_network": ' * 2000 + "1" + "}" * 2000,
        '{"neural_network": {"num_epochs": ' + "9" * 10_000 + "}}",
    ],
    ids=["brackets", "objects", "digits"],
)
def test_a_text_that_is_too_much_is_refused(pictures, refused, text):
    (pictures / "other.json").write_text(text)
    refused(file="other.json")


def evil_pt(path):
    torch.save({"model": Evil()}, path)


def evil_pickle(path):
    path.write_bytes(pickle.dumps(Evil()))


def evil_h5(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("weights", data=np.void(pickle.dumps(Evil())))
        file["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/")


def evil_keras(path):
    layer = {
        "class_name": "Lambda",
        "config": {"name": "evil", "function": {"class_name": "__lambda__", "config": {"code": "4wEA"}}},
    }
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {"layers": [layer]}}))
        file.writestr(f"../{CANARY}", "out of the archive")


@pytest.mark.parametrize(
    ("name", "make"), [("a.pt", evil_pt), ("a.pt", evil_pickle), ("a.h5", evil_h5), ("a.keras", evil_keras)]
)
def test_weights_run_nothing(pictures, refused, name, make):
    make(pictures / name)
    refused(lambda values: values["checkpoints"].update(load=name))


@pytest.mark.parametrize(
    "layer",
    [
        {"class_name": "Lambda", "config": {"name": "a", "function": ["4wEAAAA=", None, None]}},
        {
            "class_name": "Lambda",
            "config": {"name": "a", "function": {"class_name": "__lambda__", "config": {"code": "4wEA"}}},
        },
        {"class_name": "os.system", "config": {"command": TOUCH}},
        {"class_name": "system", "module": "os", "registered_name": "os>system", "config": {"name": "a"}},
        {
            "class_name": "Dense",
            "config": {"name": "a", "units": 2, "activation": {"class_name": "function", "config": "os.system"}},
        },
        {"class_name": "TFOpLambda", "config": {"name": "a", "function": "io.write_file"}},
        {"class_name": "TFOpLambda", "config": {"name": "a", "function": "os.system"}},
    ],
    ids=["lambda_2", "lambda_3", "class", "module", "activation", "write_file", "operation"],
)
def test_layers_are_those_of_the_catalog(refused, layer):
    refused(lambda values: values.update(layers=[*values["layers"], layer]))


def test_arrays_of_objects_are_not_unpickled(pictures, refused):
    (pictures / "arrays").mkdir()
    np.save(pictures / "arrays" / "a.npy", np.array([Evil()], dtype=object), allow_pickle=True)

    def spoil(values):
        values["data"] |= {"input_type": "numpy", "input_path": "arrays/"}
        del values["data"]["grayscale"]

    refused(spoil, code=(2, 3))


@pytest.mark.parametrize("url", [f"pipe:{TOUCH}", f"pipe:{TOUCH} |", f"file://$({TOUCH})", f"| {TOUCH}"])
@pytest.mark.parametrize("kind", ["webdataset", "images", "hdf5"])
def test_no_address_is_a_command(refused, kind, url):
    def spoil(values):
        values["data"] = {"input_type": kind, "target_type": "labels", "input_path": url}
        if kind == "webdataset":
            values["data"].pop("target_type")

    err = refused(spoil, code=(2, 3))
    assert "data.input_path" in err or "config.json" in err


def shard(path, names):
    with tarfile.open(path, "w") as file:
        for name in names:
            content = io.BytesIO(b"x")
            member = tarfile.TarInfo(name)
            member.size = 1
            file.addfile(member, content)


@pytest.mark.parametrize("name", ["../../canary.png", "/tmp/canary.png", "a/../../canary.png"])
def test_names_in_a_shard_lead_nowhere(pictures, refused, name):
    (pictures / "shards").mkdir()
    shard(pictures / "shards" / "a-000000.tar", [name])

    def spoil(values):
        values["data"] = {"input_type": "webdataset", "input_path": "shards/"}

    refused(spoil, code=(2, 3))
    assert not list(pictures.parent.rglob("canary*"))
