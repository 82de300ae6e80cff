"""The floors of docs/architecture.md, and the doors of heavy libraries."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rmldnn

PACKAGE = Path(rmldnn.__file__).parent
DOORS = {
    "hydra": {"config/instantiate.py", "config/hydras.py", "config/overrides.py"},
    "omegaconf": {"config/hydras.py"},
    "deepspeed": {"engine/deepspeed.py"},
    "pydantic": {"component.py"},
    "yaml": {"config/reader.py", "config/describe.py", "data/class_names.py"},
    "optuna": {"sweeps/study.py", "sweeps/plots.py"},
    "matplotlib": {"sweeps/plots.py"},
}
ROOMS = {
    "rich": "output/",
    "h5py": ("output/", "networks/files.py", "networks/weights/", "data/sources/hdf5.py"),
    "cv2": "data/",
    "webdataset": "data/shards/",
    "simplejpeg": "data/",
    "tifffile": "data/",
    "nibabel": "data/sources/",
    "zarr": "data/sources/",
}
SOURCES = sorted(PACKAGE.rglob("*.py"))


def imported(path):
    """Top-level names of all modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def test_imports_go_down_only():
    result = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_libraries_come_in_by_their_doors(path):
    name = path.relative_to(PACKAGE).as_posix()
    for library in imported(path):
        assert name in DOORS.get(library, {name}), f"{library} is imported in {name}"
        assert name.startswith(ROOMS.get(library, "")), f"{library} is imported in {name}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "config").glob("*.py")), ids=lambda path: path.name)
def test_the_configuration_floor_imports_no_torch(path):
    assert "torch" not in set(imported(path))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_drawer_for_odds_and_ends(path):
    assert path.stem not in {"utils", "util", "helpers", "common", "base", "misc"}


def test_only_ranks_reads_the_launchers_environment():
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        if path.name != "ranks.py":
            assert "os.environ" not in text, f"{path.name} reads the environment"
            assert "os.getenv" not in text, f"{path.name} reads the environment"


def test_component_files_of_conf_are_what_the_signatures_say():
    tool = PACKAGE.parent / "tools" / "sync_conf.py"
    result = subprocess.run([sys.executable, str(tool), "--check"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    "broken",
    [
        '{"neural_network": {"num_epochs": 0}}',
        '{"neural_network": {"network": {"type": "unet", "num_classes": 0}}}',
        "{",
        "missing",
    ],
)
def test_a_faulty_file_is_reported_without_torch(tmp_path, broken):
    path = tmp_path / "config.json"
    if broken != "missing":
        path.write_text(broken)
    program = (
        "import sys; from rmldnn.cli import main\n"
        f"assert main([{str(path)!r}]) == 2\n"
        "assert not {'torch', 'hydra'} & set(sys.modules), sorted({'torch', 'hydra'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_every_package_is_installed():
    text = (PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8")
    for init in PACKAGE.rglob("__init__.py"):
        assert f'"{".".join(init.parent.relative_to(PACKAGE.parent).parts)}",' in text
