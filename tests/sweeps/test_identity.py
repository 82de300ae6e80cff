"""What makes two commands one sweep."""

import copy
import functools
from pathlib import Path

import pytest

from rmldnn.config.domains import Choices, domain
from rmldnn.sweeps import identity
from rmldnn.sweeps.settings import sweep
from rmldnn.sweeps.space import Space

BASE = {
    "num_epochs": 4,
    "precision": "auto",
    "gradient_clip": None,
    "data": {"input_path": "./train/", "batch_size": 8},
    "optimizer": {"type": "Adam", "learning_rate": 1e-3, "beta1": 0.9},
    "checkpoints": {"interval": 1},
    "deepspeed": {"zero_optimization": {"round_robin_gradients": True}},
}
SPACE = Space({"optimizer.learning_rate": domain({"uniform": [0, 1]})})


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def told(then, now, space=SPACE):
    settings = sweep()
    return identity.differences(identity.identity(space, settings, then), identity.identity(SPACE, settings, now))


def changed(path, value):
    base = copy.deepcopy(BASE)
    *sections, key = path.split(".")
    section = functools.reduce(dict.__getitem__, sections, base)
    section[key] = value
    return base


def without(path):
    base = changed(path, None)
    *sections, key = path.split(".")
    del functools.reduce(dict.__getitem__, sections, base)[key]
    return base


@pytest.mark.parametrize("path", ["num_epochs", "optimizer.beta1", "deepspeed.zero_optimization.round_robin_gradients"])
def test_another_value_makes_another_sweep(path):
    assert told(BASE, changed(path, 0)) == [f"`{path}`"]


@pytest.mark.parametrize("path", ["tracking", "checkpoints.interval", "data.test_output_path", "outfile"])
def test_outputs_may_be_others(path):
    assert told(BASE, changed(path, 3)) == []


@pytest.mark.parametrize("path", ["precision", "gradient_clip", "data.batch_size", "optimizer.beta1"])
def test_a_key_that_was_not_known_then_does_what_was_done_without_it(path):
    """As after an upgrade; of these, `batch_size` alone is not what it is by default."""
    assert told(without(path), BASE) == (["`data.batch_size`"] if path == "data.batch_size" else [])


def test_a_key_that_was_not_known_then_and_says_something_else_makes_another_sweep():
    assert told(without("optimizer.beta1"), changed("optimizer.beta1", 0.5)) == ["`optimizer.beta1`"]


def test_a_key_that_nobody_knows_the_default_of_makes_another_sweep():
    assert told(without("deepspeed.zero_optimization.round_robin_gradients"), BASE) != []


def test_a_new_section_makes_another_sweep_even_with_all_defaults():
    assert told(BASE, {**BASE, "early_stopping": {"patience": 3}}) == ["`early_stopping.patience`"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, 2], [1.0, 2.0]),
        ({"uniform": [0, 1]}, {"uniform": [0.0, 1.0]}),
        ([{"a": 1, "b": 2}], [{"b": 2, "a": 1}]),
    ],
)
def test_parameters_that_mean_the_same_are_the_same(one, other):
    then, now = (identity.identity(Space({"x": domain(given)}), sweep(), BASE) for given in (one, other))
    assert identity.differences(then, now) == []


def test_one_and_true_are_other_parameters():
    then, now = (identity.identity(Space({"x": domain(given)}), sweep(), BASE) for given in ([1, 2], [True, 2]))
    assert identity.differences(then, now) == ["parameters (`x`)"]


@pytest.fixture
def train():
    for name, text in (("a/1.png", "one"), ("a/2.png", "two"), ("b/3.png", "three")):
        file = Path("train", name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return Path("train")


def test_another_set_of_data_makes_another_sweep(train):
    then = identity.identity(SPACE, sweep(), BASE)
    assert identity.differences(then, identity.identity(SPACE, sweep(), BASE)) == []
    (train / "b/4.png").write_text("four")
    assert identity.differences(then, identity.identity(SPACE, sweep(), BASE)) == ["content of `./train/`"]
    (train / "b/4.png").unlink()
    (train / "a/1.png").write_text("another one")
    assert identity.differences(then, identity.identity(SPACE, sweep(), BASE)) == ["content of `./train/`"]


def test_what_is_hidden_or_younger_is_the_same_data(train):
    then = identity.contents(["train"])
    (train / ".index").write_text("made by a run")
    (train / "a/1.png").touch()
    assert identity.contents(["train"]) == then


def test_the_working_directory_is_no_folder_of_data_that_stays(train):
    assert identity.contents(["./", "..", "nowhere"]) == {}


def test_a_large_folder_is_looked_at_in_part(train, monkeypatch):
    monkeypatch.setattr(identity, "_ENTRIES", 2)
    then = identity.contents(["train"])
    (train / "b/3.png").write_text("behind the bound")
    assert identity.contents(["train"]) == then
    (train / "a/2.png").write_text("within it")
    assert identity.contents(["train"]) != then


def test_files_are_named_by_the_file_and_by_parameters():
    space = Space({"layers": Choices(("./a.json", "./b.json")), "optimizer": Choices(("./c.json", "sgd"))})
    base = {"checkpoints": {"load": "w.pt"}, "data": {"input_path": ["x", "y"]}, "layers": [{"class_name": "Dense"}]}
    assert list(identity.named(identity.NETWORKS, space, base)) == ["w.pt", "./a.json", "./b.json"]
    assert list(identity.named(identity.DATA, space, base)) == ["x", "y"]


def test_files_that_were_changed_or_removed_are_named():
    for name in "abc":
        Path(name).write_text("as it was")
    then = identity.contents(["a", "b", "c", "never there"])
    assert identity.changed(then) == []
    Path("b").write_text("as it is")
    Path("c").unlink()
    assert identity.changed(then) == ["b", "c"]
    Path("b").write_text("as it was")
    assert identity.changed(then) == ["c"]
