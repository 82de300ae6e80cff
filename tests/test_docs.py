"""What README and docs tell people to type works."""

import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from rmldnn import cli
from rmldnn.config import spec
from rmldnn.config.check import check
from rmldnn.config.reader import read_text
from rmldnn.errors import ConfigError
from tests.test_parallel import mpirun, needs_mpirun

ROOT = Path(__file__).parent.parent
NAMES = (
    "README.md",
    "docs/data.md",
    "docs/networks.md",
    "docs/training.md",
    "docs/cluster.md",
    "docs/containers.md",
    "docs/clouds.md",
)
PAGES = {name: (ROOT / name).read_text(encoding="utf-8") for name in NAMES}
FENCED = {name: re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL) for name, text in PAGES.items()}
LINES = [
    line.split("#")[0].strip()
    for blocks in FENCED.values()
    for kind, block in blocks
    if not kind
    for line in block.splitlines()
]
COMMANDS = [line for line in dict.fromkeys(LINES) if re.match(r"(rmldnn|(mpirun|torchrun) .*rmldnn) ", line)]
CONFIGS = [block for blocks in FENCED.values() for kind, block in blocks if kind == "json"]


def test_the_readme_has_commands_and_configurations():
    assert len(COMMANDS) >= 12
    assert len(CONFIGS) == 9


@pytest.fixture
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
def test_command_runs(command, pictures, config, rmldnn, export):
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    program, *words = shlex.split(command)
    if program == "mpirun":
        if needs_mpirun.args[0]:
            pytest.skip("needs mpirun")
        result = rmldnn(*words[words.index("rmldnn") + 1 :], launcher=mpirun(words[words.index("-np") + 1]))
    elif program == "torchrun":
        start = [sys.executable, "-m", "torch.distributed.run", *words[: words.index("rmldnn")]]
        result = rmldnn(*words[words.index("rmldnn") + 1 :], launcher=start)
    else:
        if "--resume" in words:  # from a state that an earlier run left
            assert rmldnn(*(word for word in words if word != "--resume")).code == 0
        result = rmldnn(*words)
    assert result.code == 0, result.err


@pytest.mark.parametrize("line", [line for line in LINES if re.match(r"(srun|deepspeed) .*\brmldnn ", line)])
def test_command_of_another_launcher_is_understood(line):
    words = shlex.split(line)
    assert cli.parse(words[words.index("rmldnn") + 1 :]).file == "config.json"


@pytest.mark.parametrize(
    "text", CONFIGS, ids=["train", "predict", "table", "transforms", "slicers", "import", "family", "training", "best"]
)
def test_configuration_is_right(text):
    document = read_text(text, "README.json")
    assert list(check(document.value["neural_network"])) == []


def test_messages_shown_are_those_given(tmp_path):
    text = CONFIGS[0].replace('"input_type"', '"input_typ"').replace("1e-3", "-0.1")
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigError) as caught:
        spec.load(tmp_path / "config.json")
    shown = [line.removeprefix("rmldnn: error: ") for line in LINES if line.startswith("rmldnn: error: ")]
    assert [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems] == shown


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))])
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
