"""`rmldnn rerun`: the same run again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rmldnn.config import spec, translate
from rmldnn.errors import ConfigError
from rmldnn.output.run_folder import record, recorded
from rmldnn.verbs.rerun import _loaded, main

ROOT = Path(__file__).parents[2]


def composed(file, *changes):
    return translate.compose(spec.load(file), changes).values


@pytest.fixture
def rmldnn(fork_server):
    """The command, which finds the large libraries there already."""
    return lambda *words: fork_server(Path.cwd(), *words)


@pytest.fixture
def made(pictures, config):
    """A run that was made of `config`, some of its facts changed: returns its folder."""

    def make(*changes, session=None, **keys):
        (pictures / "small.json").write_text(json.dumps({"neural_network": {**config, **keys}}))
        folder = Path("runs/small")
        record(
            folder,
            name="small",
            command=["rmldnn", "small.json", *changes],
            file="small.json",
            seed=0,
        ).begin(composed("small.json", *changes))
        if session:
            file = folder / "run.json"
            told = json.loads(file.read_text())
            for path, value in session.items():
                *parents, last = path.split(".")
                place = told["sessions"][0]
                for parent in parents:
                    place = place[parent]
                place[last] = value
            file.write_text(json.dumps(told))
        return folder

    return make


def losses(file="out_train.txt"):
    return [row.split()[1:] for row in Path(file).read_text().splitlines()]


@pytest.mark.parametrize("file", sorted(ROOT.glob("recipes/*/*/*.json")), ids=lambda path: path.parent.name + path.stem)
def test_a_composed_configuration_is_one_that_composes_to_itself(file, tmp_path, monkeypatch):
    if '"neural_network"' not in file.read_text():
        pytest.skip("a network, no configuration")
    monkeypatch.chdir(file.parent)
    first = composed(file)
    again = tmp_path / "config.json"
    again.write_text(json.dumps({"neural_network": first}))
    assert composed(again) == first


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"optimizer": {"type": "Adam", "lr_scheduler": {"type": "Exponential", "gamma": 0.5}}},
        {"loss": [{"function": "NLL"}, {"function": "Dice", "weight": 0.5}], "metrics": ["IoU", {"name": "F1"}]},
        {"layers": None, "network": {"type": "UNet", "num_classes": 3}},
        {"layers": "${net}.json", "outfile": "???"},
    ],
)
def test_so_does_one_with_every_kind_of_section(config, tmp_path, keys):
    values = {key: value for key, value in {**config, **keys}.items() if value is not None}
    if "optimizer" in keys:
        values["optimizer"]["learning_rate"] = 0.1
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"neural_network": values}))
    first = composed(file)
    file.write_text(json.dumps({"neural_network": first}))
    assert composed(file) == first


def test_the_same_run_again_wherever_it_is_asked_for(made, rmldnn, train, monkeypatch):
    made("seed=3", "optimizer=adam", "optimizer.learning_rate=0.01", "num_epochs=1")
    first = train("seed=3", "optimizer=adam", "optimizer.learning_rate=0.01", "num_epochs=1")
    assert first.code == 0, first.err
    before = losses()
    Path("out_train.txt").unlink()
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    result = rmldnn("rerun", "../runs/small")
    assert result.code == 0, result.err
    assert "Warning" not in result.out
    monkeypatch.chdir("..")
    assert losses("runs/small-2/outputs/out_train.txt") == before


def test_what_the_first_run_wrote_stays(made, rmldnn):
    made(outfile="./logs/out.txt", checkpoints={"save": "./model/"}, num_epochs=1)
    for file in ("logs/out_train.txt", "model/model_checkpoint_1.pt"):
        Path(file).parent.mkdir(exist_ok=True)
        Path(file).write_text("of the first run")
    result = rmldnn("rerun", "runs/small")
    assert result.code == 0, result.err
    outputs = Path("runs/small-2/outputs")
    for file, now in (("logs/out_train.txt", "out_train.txt"), ("model/model_checkpoint_1.pt",) * 2):
        assert Path(file).read_text() == "of the first run"
        assert (outputs / now).stat().st_size > 100


def test_places_of_one_name_stay_apart(made, config, rmldnn):
    config["data"]["test_output_path"] = "./c/out"
    made(checkpoints={"save": "./b/out"}, num_epochs=1)
    result = rmldnn("rerun", "runs/small")
    assert result.code == 0, result.err
    outputs = Path("runs/small-2/outputs")
    assert [file.name for file in (outputs / "out").iterdir()] == ["model_checkpoint_1.pt"]
    assert [file.name for file in (outputs / "out-2").iterdir()] == ["output_1.h5"]


def test_a_run_that_is_made_again_twice_stays_in_its_own_folder(made, rmldnn):
    made(num_epochs=1)
    assert rmldnn("rerun", "runs/small").code == 0
    result = rmldnn("rerun", "runs/small-2")
    assert result.code == 0, result.err
    assert losses("runs/small-3/outputs/out_train.txt") == losses("runs/small-2/outputs/out_train.txt")


def test_a_batch_size_that_was_found_is_taken_again(train, config, rmldnn):
    config["data"]["batch_size"] = "auto"
    first = train("num_epochs=1")
    assert first.code == 0, first.err
    found = first.starting("Batch size (automatic): ")[0].split()[-1]
    said = json.loads(Path("runs/config/config.json").read_text())["neural_network"]
    assert str(said["data"]["batch_size"]) == found
    again = rmldnn("rerun", "runs/config")
    assert again.code == 0, again.err
    assert not again.starting("Batch size (automatic)")


def test_changes_come_on_top(made, rmldnn):
    made()
    result = rmldnn("rerun", "runs/small", "num_epochs=1", "outfile=other.txt")
    assert result.code == 0, result.err
    assert {row[1] for row in losses("other_train.txt")[1:]} == {"1"}


def test_it_begins_anew_in_a_folder_of_its_own(made, rmldnn):
    made(run_folder="mine", checkpoints={"save": "model", "resume": "auto"})
    result = rmldnn("rerun", "runs/small", "num_epochs=1")
    assert result.code == 0, result.err
    assert not Path("mine").exists()


def test_what_has_changed_since_is_told(made, rmldnn):
    commit = "0123456789"
    made(
        num_epochs=1,
        session={
            "software.rmldnn": "0.0.1",
            "software.torch": "1.0.0",
            "git": {"commit": commit, "changed": True},
        },
    )
    result = rmldnn("rerun", "runs/small")
    assert result.code == 0, result.err
    warnings = [line for line in result.lines if line.startswith("Warning: ")]
    assert [line.partition(", this is")[0] for line in warnings] == [
        "Warning: the run was made with rmldnn 0.0.1",
        "Warning: the run was made with torch 1.0.0",
        f"Warning: the run was made at commit {commit} of the repository",
        "Warning: the run was made with changes to the repository that were not committed",
    ]


@pytest.mark.parametrize("content", ["[]", None])
def test_a_network_file_that_is_another_one_is_replaced_by_its_copy(made, rmldnn, config, pictures, content):
    (pictures / "net.json").write_text(json.dumps(config["layers"]))
    made(layers="net.json", num_epochs=1)
    if content is None:
        (pictures / "net.json").unlink()
    else:
        (pictures / "net.json").write_text(content)
    result = rmldnn("rerun", "runs/small")
    assert result.code == 0, result.err
    assert result.starting("Warning: layers: the network file `net.json` is another one than it was; `/")


def test_so_is_that_of_a_coarser_level_unless_it_is_changed_on_the_command_line(made, config):
    (Path("net.json")).write_text(json.dumps(config["layers"]))
    folder = made(layers="net.json", multigrid={"levels": [8, 12], "networks": ["net.json"]}, num_epochs=1)
    Path("net.json").unlink()
    loaded = _loaded(recorded(folder.absolute()), ["layers=other.json"], lenient=False)
    assert loaded.values["layers"] == "net.json"
    assert loaded.values["multigrid"]["networks"] == [str(folder.absolute() / "multigrid.networks.0.json")]


def test_a_folder_that_is_gone_is_told(made, rmldnn):
    made(session={"directory": "/nowhere/at/all"})
    result = rmldnn("rerun", "runs/small")
    assert result.code == 2
    assert result.err.startswith(
        "rmldnn: error: the run was made in `/nowhere/at/all`, which cannot be entered: No such file or directory; go "
    )
    assert "runs/small/config.json there" in result.err


def test_what_is_no_run_folder_is_told(pictures, rmldnn):
    result = rmldnn("rerun", "train")
    assert result.code == 2
    assert "train` is no run folder: it has no run.json" in result.err


def test_help_shows_how(rmldnn):
    result = rmldnn("rerun", "--help")
    assert result.code == 0
    assert "rmldnn rerun runs/unet seed=1" in result.out


def test_a_run_folder_is_asked_for():
    with pytest.raises(ConfigError, match=r"^name a run folder: rmldnn rerun runs/unet"):
        main([])
