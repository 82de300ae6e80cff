"""Configurations as Hydra has them: the same as in the words of a file, read, written, composed by Hydra itself."""

from pathlib import Path

import pytest
import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from rmldnn.config import groups, spec, translate
from rmldnn.errors import ConfigError
from rmldnn.verbs.translate import main

ROOT = Path(__file__).parents[2]
FOLDERS = [ROOT / "recipes", ROOT.parent / "shared" / "upstream"]


def loadable():
    for path in sorted(path for folder in FOLDERS for path in folder.rglob("*.json")):
        try:
            loaded = spec.load(path)
        except ConfigError:  # networks, and what is wrong
            continue
        yield pytest.param(loaded, path, id="/".join(path.parts[-3:]))


def by_hydra(folder):
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(folder), version_base="1.3"):
        composed = hydra_compose("config", overrides=["hydra.searchpath=[pkg://rmldnn.conf]"])
    return OmegaConf.to_container(composed)


@pytest.mark.parametrize(("loaded", "path"), list(loadable()))
def test_what_is_written_composes_to_the_same_by_us_and_by_hydra(tmp_path, loaded, path):
    assert main([str(path), "--out", str(tmp_path)]) == 0
    wanted = translate.compose(loaded).values
    assert translate.compose(spec.load(tmp_path)).values == wanted
    hydras = by_hydra(tmp_path)
    hydras.pop("sweep", None)  # it is about many runs, and what is composed here is one
    assert hydras == wanted


@pytest.fixture
def hydras(tmp_path, classifier):
    """Writes a file as Hydra has it: the classifier with another list of defaults, and reads it."""

    def write(defaults, **values):
        content = {"defaults": defaults, **{key: classifier[key] for key in ("num_epochs", "layers", "data")}, **values}
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        return spec.load(tmp_path)

    return write


CHOICES = ["/rmldnn", {"override /loss": "dice"}, {"override /optimizer": "adam"}, "_self_"]


def test_choices_and_values_make_sections(hydras):
    loaded = hydras(CHOICES, loss={"source": "sigmoid"})
    assert loaded.values["loss"] == {"function": "Dice", "source": "sigmoid"}
    assert loaded.values["optimizer"] == {"type": "Adam"}


def test_a_group_of_the_users_own(tmp_path, hydras):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text("function: Focal\ngamma: 3.0\n")
    loaded = hydras([{"override /loss": "mine"}, {"override /optimizer": "adam"}], loss={"alpha": 0.5})
    assert loaded.values["loss"] == {"function": "Focal", "gamma": 3.0, "alpha": 0.5}


def test_a_preset_in_the_list_counts_less_than_values(hydras):
    loaded = hydras([*CHOICES, {"preset": "exact"}], seed=7)
    assert (loaded.values["seed"], loaded.values["precision"]) == (7, "fp32")


def test_later_choices_count_more(hydras):
    loaded = hydras(["/rmldnn", {"preset": "classification"}, {"override /loss": "nll"}])
    assert loaded.values["loss"] == {"function": "NLL"}
    assert loaded.values["optimizer"]["type"] == "AdamW"


def test_a_bare_name_leaves_other_choices(hydras):
    schedule = {"override /scheduler@optimizer.lr_scheduler": "cosine"}
    loaded = hydras([{"override /loss": "nll"}, schedule], optimizer="adam")
    assert loaded.values["optimizer"] == {"type": "adam", "lr_scheduler": {"type": "Cosine"}}


class TestChosenOnTheCommandLine:
    """Groups and presets of the user's own, from folders beside the file."""

    @pytest.fixture
    def compose(self, tmp_path, hydras):
        for group in ("loss", "preset"):
            (tmp_path / group).mkdir()
        (tmp_path / "loss" / "mine.yaml").write_text("function: Focal\ngamma: 3.0\n")
        (tmp_path / "preset" / "mine.yaml").write_text("num_epochs: 2\nloss: {function: Focal, gamma: 9.0}\n")
        loaded = hydras([{"override /loss": "nll"}, {"override /optimizer": "adam"}], loss={"ignore_index": 1})
        return lambda *texts: translate.compose(loaded, texts)

    @pytest.mark.parametrize(
        ("texts", "gamma"),
        [
            (["loss=mine"], 3.0),
            (["loss=nll", "loss=mine"], 3.0),
            (["loss=mine", "+preset=mine"], 3.0),
            (["loss=mine", "loss.gamma=4.0"], 4.0),
            (["+preset=mine"], 9.0),
        ],
    )
    def test_they_are_over_the_file(self, compose, texts, gamma):
        loss = compose(*texts).values["loss"]
        assert (loss["function"], loss["gamma"]) == ("Focal", gamma)

    def test_the_last_choice_counts(self, compose):
        assert compose("loss=mine", "loss=mse").values["loss"]["function"] == "MSE"

    def test_what_they_leave_out_is_told(self, compose, tmp_path):
        (tmp_path / "loss" / "mine.yaml").write_text("function: MSE\n")
        (notice,) = compose("loss=mine").notices
        assert notice.path == "loss.ignore_index"
        assert "loss/mine.yaml chose MSE" in notice.message

    def test_a_fault_has_its_line(self, compose, tmp_path):
        (tmp_path / "loss" / "mine.yaml").write_text("function: Focal\ngama: 3.0\n")
        with pytest.raises(ConfigError) as caught:
            compose("loss=mine")
        (problem,) = caught.value.problems
        assert problem.place == f"{tmp_path}/loss/mine.yaml:2"

    def test_a_preset_that_is_not_there_is_told_with_those_that_are(self, compose):
        with pytest.raises(ConfigError, match="command line: preset: there is no preset `mien`; did you mean `mine`"):
            compose("+preset=mien")

    @pytest.mark.parametrize("text", ["loss=../mine", "+preset=../loss/mine"])
    def test_they_are_in_no_other_folder(self, compose, tmp_path, text):
        (tmp_path / "mine.yaml").write_text("function: Focal\n")
        with pytest.raises(ConfigError, match="there is no"):
            compose(text)


OWN = {
    "function: Focal\nfunction: Dice\n": "loss/mine.yaml:2: function: `function` is written twice",
    "- Focal\n": "`{folder}/loss/mine.yaml` must hold an object",
    "function: [\n": "loss/mine.yaml:",
}


@pytest.mark.parametrize("text", OWN)
def test_faults_of_ones_own_group_have_its_place(tmp_path, hydras, text):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        hydras([{"override /loss": "mine"}])
    assert OWN[text].format(folder=tmp_path) in str(caught.value)


def test_a_group_of_ones_own_is_in_no_other_folder(tmp_path, hydras):
    (tmp_path / "loss").mkdir()
    (tmp_path / "secret.yaml").write_text("function: Focal\n")
    with pytest.raises(ConfigError, match=r"there is no loss `\.\./secret`"):
        hydras([{"override /loss": "../secret"}])


def test_faults_have_lines_of_the_file(tmp_path, hydras):
    with pytest.raises(ConfigError) as caught:
        hydras(CHOICES, num_epoch=3)
    assert f"{tmp_path}/config.yaml:" in str(caught.value)
    assert "did you mean `num_epochs`?" in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"override /loss": "dise"}, "defaults[0]: there is no loss `dise`; did you mean `Dice`?"),
        ({"override /los": "dice"}, "defaults[0]: `los` is no group; did you mean `loss`?"),
        ({"preset": "quick"}, "defaults[0]: there is no preset `quick`"),
        ("/other", "defaults[0]: must be like `override /loss: dice`"),
        ({"override /hydra/launcher": "joblib"}, "defaults[0]: `hydra/launcher` is no group"),
        ({"override /loss": "../../secret"}, "defaults[0]: there is no loss `../../secret`"),
    ],
)
def test_what_chooses_nothing_is_told(hydras, entry, message):
    with pytest.raises(ConfigError) as caught:
        hydras([entry])
    assert message in str(caught.value)


def test_a_file_that_is_there_stays(tmp_path, write, classifier):
    file = str(write(classifier))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "config.yaml").write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        main([file, "--out", str(tmp_path / "out")])
    assert main([file, "--out", str(tmp_path / "out"), "--force"]) == 0


def test_the_task_of_a_command_line_is_written_too(tmp_path, write):
    data = {"type": "pde", "num_examples": 4, "domain_size": 8}
    values = {"layers": "net.json", "data": data, "loss": "Burgers_PDE", "optimizer": {"type": "SGD"}}
    assert main([str(write(values)), "--app=pde", "--out", str(tmp_path / "out")]) == 0
    assert spec.load(tmp_path / "out").values["task"]["type"] == "pde"


@pytest.fixture
def compose(write, classifier):
    def compose_with(*changes):
        return translate.compose(spec.load(write(classifier)), changes)

    return compose_with


NEEDED = {"segmentation": ["data.target_path=masks", "data.test_target_path=masks"]}


@pytest.mark.parametrize("name", groups.presets())
def test_every_preset_composes_and_its_values_are_there(compose, name):
    composed, preset = compose(f"+preset={name}", *NEEDED.get(name, ())).values, groups.preset(name).values
    for path in groups.leaves(preset):
        found, wanted = composed, preset
        for key in path.split("."):
            found, wanted = found[key], wanted[key]
        assert found == wanted, path


def test_a_preset_is_over_the_file_and_under_the_command_line(compose):
    values = compose("optimizer.learning_rate=0.5", "+preset=[classification,exact]", "loss=nll", "seed=3").values
    assert values["loss"]["function"] == "NLL"
    assert values["optimizer"]["type"] == "AdamW"
    assert values["optimizer"]["learning_rate"] == 0.5
    assert (values["seed"], values["deterministic"]) == (3, True)


def test_what_a_preset_drops_is_told(compose):
    message = "left out, since the preset classification chose AdamW, which has no such key"
    assert any(
        notice.path == "optimizer.momentum" and notice.message == message
        for notice in compose("+preset=classification").notices
    )


def test_an_unknown_preset_has_a_near_miss(compose):
    with pytest.raises(ConfigError, match="there is no preset `fats`; did you mean `fast`"):
        compose("+preset=fats")


ALONE = [
    "network=resnet18",
    "network.num_classes=3",
    "data=images",
    "data.input_path=train",
    "loss=nll",
    "optimizer=sgd",
]


def test_no_file_is_needed():
    values = translate.compose(
        spec.load(None), [*ALONE, "data.target_type=labels", "network.input_shape=[32,32,3]"]
    ).values
    assert values["network"]["type"] == "resnet18"
    assert values["optimizer"]["learning_rate"] == 0.01


def test_what_is_missing_without_a_file_is_told_of_the_command_line():
    with pytest.raises(ConfigError) as caught:
        translate.compose(spec.load(None), ["loss=nll"])
    assert "command line: data" in str(caught.value)


def test_what_is_wrong_with_a_choice_of_a_preset_is_placed_there(write):
    data = {"type": "pde", "num_examples": 4, "domain_size": 8}
    values = {"task": "pde", "layers": "net.json", "data": data, "loss": "Burgers_PDE", "optimizer": {"type": "SGD"}}
    with pytest.raises(ConfigError) as caught:
        translate.compose(spec.load(write(values)), ["+preset=segmentation"])
    (problem,) = (one for one in caught.value.problems if one.path == "loss")
    assert problem.place == "preset segmentation"


def test_what_is_wrong_in_a_group_of_ones_own_is_placed_in_its_file(hydras, tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text("function: Focal\ngama: 3.0\n")
    with pytest.raises(ConfigError) as caught:
        hydras([{"override /loss": "mine"}, {"override /optimizer": "adam"}])
    (problem,) = caught.value.problems
    assert problem.place.endswith("loss/mine.yaml:2")
    assert problem.path == "loss.gama"


def test_what_a_preset_in_the_list_says_has_its_place(hydras):
    loaded = hydras([{"preset": "exact"}, *CHOICES], seed=7)
    assert loaded.document.place((groups.ROOT, "deterministic")) == "preset exact"
    assert "config.yaml:" in loaded.document.place((groups.ROOT, "seed"))
