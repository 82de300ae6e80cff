"""Every recipe composes and builds; those that are done in a minute reach the number of their README."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from rmldnn.config import spec, translate
from rmldnn.config.instantiate import instantiate
from rmldnn.errors import ConfigError
from rmldnn.verbs.recipes import KINDS, read, recipes

ROOT = Path(__file__).parent.parent / "recipes"
RECIPES = {one.name: one for one in recipes()}
CONFIGS = [path for path in sorted(ROOT.glob("*/*/*.json")) if "neural_network" in path.read_text(encoding="utf-8")]
MEASURED = {
    "test accuracy": r"test accuracy\s+: ([\d.]+)$",
    "PSNR": r"PSNR\s+: ([\d.]+)$",
    "median error": r"median ([\d.]+)%",
}
"""What the log of a run tells at its end, or a comparison behind it."""
QUICK = [name for name, one in RECIPES.items() if one.time.endswith("seconds") and one.metric in MEASURED]
LONG = [name for name in RECIPES if name not in QUICK]


@pytest.mark.parametrize("name", RECIPES)
def test_a_readme_points_to_nothing_that_a_copy_lacks(name):
    text = (ROOT / name / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert {*targets} <= {path.name for path in RECIPES[name].files}
    assert not re.findall(r"\bdocs/\S+|\.\./\S*", text)


@pytest.fixture
def recipe(request, tmp_path, monkeypatch):
    """A copy of the files of a recipe, in the working directory."""
    for path in RECIPES[request.param].files:
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    return RECIPES[request.param]


@pytest.fixture
def follow(fork_server):
    """Types the commands of a recipe; what the last training and all behind it say.

    `briefly` takes little data where a command says how much, one epoch of the last training, and nothing behind it.
    """

    def follow(recipe, *, briefly=False):
        commands = [shlex.split(line, comments=True) for line in recipe.commands]
        last = max(index for index, words in enumerate(commands) if words[-1].endswith(".json"))
        said = ""
        for index, (program, *words) in enumerate(commands[: last + 1 if briefly else None]):
            if briefly and "--num" in words:
                words[words.index("--num") + 1] = "32"
            if program == "python":
                done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
                assert done.returncode == 0, done.stderr
                said += done.stdout if index > last else ""
                continue
            assert program == "rmldnn", "a recipe types python or rmldnn"
            few = ["num_epochs=1", *(["sweep.num_trials=2"] if "-m" in words else [])]
            done = fork_server(Path.cwd(), *words, *(few if briefly and index == last else []))
            assert (done.code, done.err) == (0, ""), words
            said = done.out if index <= last else said
        return said

    return follow


def test_every_folder_with_a_configuration_is_a_recipe():
    assert {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("*/*/*.json")} == set(RECIPES)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_configuration_composes_and_builds(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    composed = translate.compose(spec.load(path.name))
    assert composed.notices == []
    nodes = translate.job(composed.values)
    instantiate(nodes["task"]).network(composed.values, nodes)


@pytest.mark.parametrize("recipe", QUICK, indirect=True)
@pytest.mark.slow
def test_recipe_reaches_its_number(recipe, follow):
    pytest.importorskip("sklearn")
    said = follow(recipe)
    (found,) = {float(row) for row in re.findall(MEASURED[recipe.metric], said, re.MULTILINE | re.IGNORECASE)}
    assert found >= float(recipe.number.rstrip(" %")) if recipe.more else found <= float(recipe.number.rstrip(" %"))


@pytest.mark.parametrize("recipe", LONG, indirect=True)
@pytest.mark.slow
def test_long_recipe_takes_some_steps(recipe, follow):
    follow(recipe, briefly=True)


@pytest.mark.parametrize("name", RECIPES)
def test_pictures_of_a_readme_are_there_and_small(name):
    folder = RECIPES[name].folder
    shown = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert shown
    for picture in shown:
        assert (folder / picture).stat().st_size < 150_000, picture


def test_pictures_of_made_digits_are_those_that_the_runs_have_drawn_last(tmp_path):
    folder = RECIPES["gan/digits"].folder
    drawn = {
        "samples/samples": "picture",
        "samples/interpolation": "interpolation",
        "conditional_samples/samples": "classes",
    }
    for name in drawn:
        for epoch in (50, 100):
            path = tmp_path / f"{name}_{epoch}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"{name} {epoch}")
    subprocess.run([sys.executable, folder / "picture.py"], cwd=tmp_path, check=True)
    assert {path.name: path.read_text() for path in tmp_path.glob("*.png")} == {
        f"{picture}.png": f"{name} 100" for name, picture in drawn.items()
    }
    assert {f"{picture}.png" for picture in drawn.values()} == {path.name for path in folder.glob("*.png")}


@pytest.mark.parametrize("name", RECIPES)
def test_no_line_of_a_recipe_speaks_of_a_file_that_does_not_come_along(name):
    names = {path.name for path in RECIPES[name].files}
    for line in RECIPES[name].commands:
        for word in shlex.split(line, comments=True)[1:]:
            if Path(word).suffix in KINDS and not word.startswith("-"):
                assert word in names, line


def test_a_readme_without_a_number_is_refused(tmp_path):
    (tmp_path / "README.md").write_text("# Title\n\nWhat it is.\n\n```\nrmldnn config.json\n```\n")
    with pytest.raises(ConfigError, match="must have a line such as `Expected"):
        read(tmp_path)


def _layer(kind, name, **keys):
    return {"class_name": kind, "config": {"name": name, **keys}}


BLOCK_LAYERS = [
    _layer("InputLayer", "in", batch_input_shape=[None, None, None, None, 1]),
    _layer("Conv3D", "a", filters=4, kernel_size=3, padding="same", activation="relu"),
    _layer("MaxPooling3D", "smaller", pool_size=2),
    _layer("Conv3D", "b", filters=4, kernel_size=3, padding="same", activation="relu"),
    _layer("UpSampling3D", "larger", size=2),
    _layer("Conv3D", "c", filters=2, kernel_size=3, padding="same"),
]
REACH = 1 + 2 + 1 + 1
"""How far the network sees to either side: by `a`, by `b` at half the size, by `c`; and one for pooled neighbours."""


def test_a_whole_block_gives_what_its_tiles_give_away_from_their_borders(tmp_path, monkeypatch, fork_server):
    monkeypatch.chdir(tmp_path)
    extents, tile = (32, 16, 48), 16
    with h5py.File("block.h5", "w") as file:
        file["amplitudes"] = np.random.default_rng(0).standard_normal(extents).astype(np.float32)
    found = {}
    for way, sizes in (("whole", list(extents)), ("tiled", [tile] * 3)):
        slicers = [{"name": "facies", "sizes": sizes}]
        data = {"type": "hdf5", "test_input_path": "block.h5", "hdf5_outfile": f"{way}.h5", "slicers": slicers}
        Path("config.json").write_text(json.dumps({"neural_network": {"layers": BLOCK_LAYERS, "data": data}}))
        result = fork_server(tmp_path, "config.json")
        assert (result.code, result.err) == (0, "")
        with h5py.File(f"{way}.h5") as file:
            found[way] = file["facies"][()]
    assert found["whole"].shape == (*extents, 2)
    inner = np.ones(extents, bool)
    for axis, extent in enumerate(extents):
        at = np.arange(extent)
        near = (at % tile < REACH) & (at >= REACH) | (at % tile >= tile - REACH) & (at < extent - REACH)
        inner &= ~np.expand_dims(near, [other for other in range(3) if other != axis])
    assert inner.mean() > 0.1
    np.testing.assert_allclose(found["tiled"][inner], found["whole"][inner], rtol=0, atol=1e-5)
    assert np.abs(found["tiled"] - found["whole"])[~inner].max() > 1e-3
