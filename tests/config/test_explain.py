"""Every word of a configuration means something."""

import subprocess
import sys

import pytest

from rmldnn.config import catalog
from rmldnn.config.explain import Key, Part, explain
from rmldnn.config.keys import CHOSEN, PLAIN, SECTIONS
from rmldnn.errors import ConfigError

PLAINLY = [(section, catalog.only(group)) for section, groups in PLAIN.items() for group in groups]
BY_CHOICE = [(section, form) for section, (group, _) in CHOSEN.items() for form in catalog.group(group).values()]
KEYS = {f"{section}.{name}".lstrip(".") for section, form in PLAINLY + BY_CHOICE for name in form.parameters}


@pytest.mark.parametrize("path", sorted(KEYS))
def test_every_key_has_a_meaning(path):
    found = explain(path)
    assert all(item.path.endswith(path.rpartition(".")[2]) for item in found if isinstance(item, Key))
    assert any(item.meaning for item in found if isinstance(item, Key)) or any(isinstance(item, Part) for item in found)


@pytest.mark.parametrize("section", [section for section in SECTIONS if section != "deepspeed"])
def test_every_section_tells_its_keys_or_its_components(section):
    (part,) = explain(section)
    assert part.keys or part.names


def test_components_that_say_the_same_of_a_key_are_told_together():
    same, other = explain("optimizer.nesterov")
    assert (same.owners, same.parameter.default) == (("LARS", "SGD"), False)
    assert (other.owners, other.parameter.default) == (("Muon",), True)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("nesterov", "optimizer.nesterov"),
        ("loss[0].dice", "loss.Dice"),
        ("neural_network.num_epochs", "num_epochs"),
        ("data.transforms[2].resize.size", "data.transforms.resize.size"),
        ("data.input_grayscale", "data.grayscale"),
        ("lr_scheduler", "optimizer.lr_scheduler"),
        ("loss.function", "loss"),
        ("data.target_type", "data"),
        ("layers.conv2d", "layers.Conv2D"),
        ("optimizer.adam.beta1", "optimizer.Adam.beta1"),
        ("sweep.optimizer.learning_rate", "optimizer.learning_rate"),
        ("sweep.sampler", "sweep.sampler"),
        ("target_type", "data"),
        ("exact", "preset.exact"),
        ("preset.exact", "preset.exact"),
    ],
)
def test_the_words_of_messages_are_understood(path, meant):
    assert explain(path)[0].path == meant


@pytest.mark.parametrize(
    ("path", "nearest"), [("num_epoch", "num_epochs"), ("optimizer.nesterow", "optimizer.nesterov")]
)
def test_a_word_without_meaning_has_a_near_miss(path, nearest):
    with pytest.raises(ConfigError, match=f"did you mean `{nearest}`"):
        explain(path)


def test_it_is_printed_without_torch():
    program = (
        "import sys; from rmldnn.cli import main; main(['explain', 'optimizer.nesterov'])\n"
        "assert 'torch' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert result.stdout.startswith("optimizer.nesterov (LARS, SGD)\n  true or false; default false\n  Look ahead")


def test_a_preset_tells_its_values():
    (part,) = explain("exact")
    assert "deterministic: true" in part.text
