"""What README and docs tell people to type works."""

import json
import os
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from rmldnn import cli
from rmldnn.config import spec
from rmldnn.errors import ConfigError
from tests.applications import test_gan
from tests.test_parallel import mpirun, needs_mpirun

ROOT = Path(__file__).parent.parent
NAMES = (
    "README.md",
    "docs/first.md",
    "docs/data.md",
    "docs/networks.md",
    "docs/training.md",
    "docs/composing.md",
    "docs/cluster.md",
    "docs/containers.md",
    "docs/clouds.md",
    "docs/pde.md",
    "docs/gan.md",
    "docs/detection.md",
    "docs/recipes.md",
    "docs/transfer.md",
    "docs/sweeps.md",
)
PAGES = {name: (ROOT / name).read_text(encoding="utf-8") for name in NAMES}
FENCED = {name: re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL) for name, text in PAGES.items()}
LINES = {
    line.split("#")[0].strip(): name
    for name, blocks in reversed(FENCED.items())
    for kind, block in blocks
    if not kind
    for line in block.replace("\\\n", " ").splitlines()
}
"""The lines of all blocks that are no file, each with the first page that has it."""
COMMANDS = {line: name for line, name in LINES.items() if re.match(r"(rmldnn|(mpirun|torchrun) .*rmldnn) ", line)}
CONFIGS = {
    f"{name}-{number}": block
    for name, blocks in FENCED.items()
    for number, block in enumerate((block for kind, block in blocks if kind == "json"), start=1)
}
STARTERS = ("--procs", "launch")
"""Words of commands that start processes by themselves."""


def test_every_page_has_a_command_or_a_configuration():
    found = {*COMMANDS.values(), *(name.rpartition("-")[0] for name in CONFIGS)}
    assert {*NAMES} - found == {"docs/containers.md", "docs/clouds.md"}  # which have commands of other programs


@pytest.fixture
def ready(pictures, config, fork_server):
    """Puts into the working directory what the commands of a page take for granted."""

    def written(values):
        Path("config.json").write_text(json.dumps({"neural_network": values}))

    def trained(values, *words):
        written(values)
        result = fork_server(pictures, "config.json", "num_epochs=1", "outfile=null", *words)
        assert result.code == 0, result.err

    def ready(page):
        match page:
            case "docs/detection.md":
                from tests import test_obj  # skips without the extra `detection`

                (pictures / "boxes").mkdir()
                os.chdir(pictures / "boxes")
                test_obj.prepare(Path.cwd())
                written(test_obj.CONFIG)
            case "docs/gan.md":
                trained(test_gan.GAN)
                Path("model/model_checkpoint_1.pt").rename("model/model_checkpoint_200.pt")
            case "docs/recipes.md":
                trained(config, "data.test_output_path=predictions")
                Path("predictions/output_1.h5").rename("predictions/output_12.h5")
                written({**config, "data": {**config["data"], "test_output_path": "predictions"}})
            case "docs/sweeps.md":
                pytest.importorskip("optuna")
                section = {"optimizer.learning_rate": {"log": [1e-3, 1e-1]}, "num_trials": 2}
                written({**config, "num_epochs": 1, "sweep": section})
            case "docs/transfer.md":
                trained(config)
                few = [{"layers": "conv.*", "learning_rate": 1e-3}]
                config["optimizer"]["parameters"] = few
                written({**config, "checkpoints": {"load": "model/model_checkpoint_1.pt"}})
            case "docs/first.md":
                (pictures / "data").mkdir()
                for part in ("train", "test"):
                    (pictures / part).rename(pictures / "data" / part)
            case "docs/composing.md":
                written(config)
                assert fork_server(pictures, "translate", "config.json", "--out", "my_conf", "--force").code == 0
            case _:
                written(config)
                export(pictures)

    return ready


def export(pictures):
    """Networks as the pages speak of them: `net.json`, `unet.json`, and `export/` with Keras' results."""
    layers = [
        {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 8, 8, 3]}},
        {"class_name": "ReLU", "config": {"name": "relu"}},
    ]
    (pictures / "hosts.txt").write_text("localhost slots=2\n")
    for path in ("net.json", "unet.json", "export/model.json"):
        (pictures / path).parent.mkdir(exist_ok=True)
        (pictures / path).write_text(json.dumps(layers))
    x = np.linspace(-1, 1, 2 * 8 * 8 * 3, dtype=np.float32).reshape(2, 8, 8, 3)
    np.save(pictures / "export/input_0.npy", x)
    np.save(pictures / "export/output_0.npy", np.maximum(x, 0))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.slow
def test_command_runs(command, ready, rmldnn, fork_server):
    ready(COMMANDS[command])
    program, *words = shlex.split(command)
    if program == "mpirun":
        if needs_mpirun.args[0]:
            pytest.skip("needs mpirun")
        result = rmldnn(*words[words.index("rmldnn") + 1 :], launcher=mpirun(2))  # however many the page says
    elif program == "torchrun":
        start = [sys.executable, "-m", "torch.distributed.run", *words[: words.index("rmldnn")]]
        result = rmldnn(*words[words.index("rmldnn") + 1 :], launcher=start)
    else:
        if "--resume" in words:  # from a state that an earlier run left, on however many processes
            assert fork_server(Path.cwd(), "config.json").code == 0
        result = rmldnn(*words) if {*words} & {*STARTERS} else fork_server(Path.cwd(), *words)
    assert result.code == 0, result.err


@pytest.mark.parametrize("line", [line for line in LINES if re.match(r"(srun|deepspeed) .*\brmldnn ", line)])
def test_command_of_another_launcher_is_understood(line):
    words = shlex.split(line)
    assert cli.parse(words[words.index("rmldnn") + 1 :]).file == "config.json"


@pytest.mark.parametrize("text", CONFIGS.values(), ids=CONFIGS)
def test_configuration_is_right(text, tmp_path):
    (tmp_path / "page.json").write_text(text)
    assert spec.load(tmp_path / "page.json").warnings == []


def test_messages_shown_are_those_given(tmp_path):
    text = CONFIGS["README.md-1"].replace('"input_type"', '"input_typ"').replace("1e-3", "-0.1")
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigError) as caught:
        spec.load(tmp_path / "config.json")
    shown = [line.removeprefix("rmldnn: error: ") for line in LINES if line.startswith("rmldnn: error: ")]
    assert [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems] == shown


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))])
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
