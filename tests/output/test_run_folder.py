"""The folder of a run, and what it tells about how the run was made."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rmldnn.errors import COMMAND_LINE, ConfigError, RmldnnError
from rmldnn.output import run_folder, surroundings
from rmldnn.output.run_folder import open_folder, record, recorded, run_name

CONFIG = {"num_epochs": 3, "layers": [{"class_name": "Dense", "config": {"name": "größe", "units": 2}}]}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(here):
    """Notes a run, with some facts changed."""

    def write(folder="runs/unet", config=CONFIG, **changes):
        facts = {"name": "unet", "command": ["rmldnn", "unet.json"], "file": "unet.json", "seed": 4}
        made = record(Path(folder), **{**facts, **changes})
        made.begin(config)
        return made

    return write


def said(folder="runs/unet"):
    return json.loads(Path(folder, "run.json").read_text(encoding="utf-8"))


def test_every_run_gets_a_folder_of_its_own():
    folders = [open_folder(None, "unet", resume=False) for _ in range(3)]
    assert [str(folder) for folder in folders] == ["runs/unet", "runs/unet-2", "runs/unet-3"]
    assert all(folder.is_dir() for folder in folders)


def test_runs_of_other_names_and_files_do_not_count():
    for name in ("runs/unet-a", "runs/unets", "runs/u"):
        Path(name).mkdir(parents=True)
    assert open_folder(None, "unet", resume=False) == Path("runs/unet")
    Path("runs/unet-7").touch()
    assert open_folder(None, "unet", resume=False) == Path("runs/unet-8")


def test_names_are_no_patterns():
    Path("runs/a.b").mkdir(parents=True)
    assert open_folder(None, "a+b", resume=False) == Path("runs/a+b")
    assert open_folder(None, "axb", resume=False) == Path("runs/axb")


def test_runs_that_begin_at_once_get_folders_of_their_own():
    with ThreadPoolExecutor(16) as threads:
        folders = list(threads.map(lambda _: open_folder(None, "unet", resume=False), range(64)))
    assert len(set(folders)) == 64


def test_a_folder_that_the_user_names_is_taken_as_it_is():
    for resume in (False, True, False):
        assert open_folder("here/mine", "unet", resume=resume) == Path("here/mine")
    assert Path("here/mine").is_dir()


def test_a_run_goes_on_in_the_newest_folder_with_a_state(write):
    for number in ("", "-2", "-3", "-10", "-11"):
        write(f"runs/unet{number}")
    for folder in ("runs/unet-2/state/epoch_1_sample_0", "runs/unet-10/state/epoch_1_sample_0", "runs/unet-11/state"):
        Path(folder).mkdir(parents=True)
    Path("runs/unet-11/state/.epoch_1_sample_0.part").mkdir()
    assert open_folder(None, "unet", resume=True) == Path("runs/unet-10")


def test_a_state_that_was_about_to_be_replaced_is_one_to_go_on_from(write):
    write("runs/unet")
    Path("runs/unet/state/.epoch_1_sample_0.former").mkdir(parents=True)
    assert open_folder(None, "unet", resume=True) == Path("runs/unet")


def test_a_run_goes_on_in_no_folder_of_another_name(write):
    write("runs/unet-2", name="unet-2")
    Path("runs/unet-2/state/epoch_1_sample_0").mkdir(parents=True)
    assert open_folder(None, "unet-2", resume=True) == Path("runs/unet-2")
    assert open_folder(None, "unet", resume=True) == Path("runs/unet-3")


@pytest.mark.parametrize(("path", "blocked"), [("file/mine", "file"), (None, "runs")])
def test_a_place_that_cannot_be_written_is_a_fault_of_the_configuration(path, blocked, write):
    Path(blocked).touch()
    with pytest.raises(ConfigError, match=r"^run_folder: cannot write to `.*`: a file is in the place of a folder"):
        open_folder(path, "unet", resume=False)
    with pytest.raises(ConfigError, match=r"^run_folder: cannot write to"):
        write(f"{blocked}/x")


def test_a_run_is_called_like_its_file_and_so_is_a_run_of_its_configuration(write):
    assert run_name("a/unet.v2.json") == "unet.v2"
    write("runs/unet-2")
    assert run_name("runs/unet-2/config.json") == "unet"
    assert run_name("runs/unet-2/other.json") == "other"
    assert run_name("config.json") == "config"


def test_what_is_told_of_a_run(write, here):
    write(devices=["CPU"], processes=2, lenient=True).finish("complete")
    told = said()
    (session,) = told["sessions"]
    assert (told["name"], session["command"], session["file"]) == ("unet", ["rmldnn", "unet.json"], "unet.json")
    assert (session["seed"], session["processes"], session["devices"], session["lenient"]) == (4, 2, ["CPU"], True)
    assert (session["directory"], session["outcome"]) == (str(here), "complete")
    assert session["began"] <= session["ended"]
    assert session["software"]["python"] == sys.version.split()[0]
    assert session["software"]["torch"].startswith("2.")
    assert session["software"]["packages"]["hydra-core"].startswith("1.3")
    hardware = session["hardware"]
    assert hardware["cores"] >= hardware["usable_cores"] >= 1
    assert hardware["memory_bytes"] > 2**28
    assert hardware["host"]
    assert hardware["processor"]
    assert json.loads(Path("runs/unet/config.json").read_text(encoding="utf-8")) == {"neural_network": CONFIG}
    assert recorded(Path("runs/unet")).config == CONFIG


def test_a_run_that_is_killed_has_no_end(write):
    write()
    assert (said()["sessions"][0]["ended"], said()["sessions"][0]["outcome"]) == (None, None)


def test_a_run_that_goes_on_adds_a_session(write):
    write().finish("stopped by SIGTERM")
    write(resumed=True, config={**CONFIG, "num_epochs": 9}).finish("complete")
    assert [session["outcome"] for session in said()["sessions"]] == ["stopped by SIGTERM", "complete"]
    assert recorded(Path("runs/unet")).config["num_epochs"] == 9
    write()
    assert len(said()["sessions"]) == 1


def test_a_network_file_is_kept(write):
    Path("net.v1.json").write_text("{}")
    write(config={"layers": "net.v1.json"})
    sha = hashlib.sha256(b"{}").hexdigest()
    kept = {"key": ["layers"], "file": "net.v1.json", "copy": "layers.json", "sha256": sha}
    assert said()["sessions"][0]["networks"] == [kept]
    assert Path("runs/unet/layers.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("config", "copies"),
    [
        (
            {"layers": {"generator": "g.json", "discriminator": "d.json"}},
            ["layers.discriminator.json", "layers.generator.json"],
        ),
        ({"layers": {"class_name": "g.json", "config": {}}}, []),  # the network itself
        (
            {"layers": "g.json", "multigrid": {"levels": [8, 16], "networks": ["d.json"]}},
            ["layers.json", "multigrid.networks.0.json"],
        ),
    ],
)
def test_all_network_files_are_kept(write, config, copies):
    for name in ("g", "d"):
        Path(f"{name}.json").write_text(f'"{name}"')
    write(config=config)
    assert sorted(kept["copy"] for kept in said()["sessions"][0]["networks"]) == copies
    for kept in said()["sessions"][0]["networks"]:
        assert Path("runs/unet", kept["copy"]).read_bytes() == Path(kept["file"]).read_bytes()


def test_of_a_large_network_file_only_the_hash_is_kept(write, monkeypatch):
    monkeypatch.setattr(run_folder, "_LARGEST", 1)
    Path("net.h5").write_bytes(b"{}")
    write(config={"layers": "net.h5"})
    (kept,) = said()["sessions"][0]["networks"]
    assert (kept["copy"], kept["sha256"]) == (None, hashlib.sha256(b"{}").hexdigest())
    assert not Path("runs/unet/layers.h5").exists()


def test_files_are_whole_or_as_they_were(write, disk):
    made = write()
    before = Path("runs/unet/run.json").read_bytes()
    with disk(100), pytest.raises(RmldnnError, match=r"^cannot write to `runs/unet/run.json`: File too large"):
        made.finish("complete")
    assert Path("runs/unet/run.json").read_bytes() == before
    assert {path.name for path in Path("runs/unet").iterdir()} == {".lock", "config.json", "run.json"}


@pytest.fixture
def failing(here):
    """Fails in a run folder before the run begins, `files` being there already."""

    def fail(*files):
        for file in map(Path, files):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("of another run")
        with (
            pytest.raises(RmldnnError, match="no"),
            record(Path("runs/unet"), name="unet", command=[], file="unet.json", seed=0),
        ):
            for folder in ("state", "tensorboard", "outputs/model"):
                Path("runs/unet", folder).mkdir(parents=True, exist_ok=True)
            Path("runs/unet/history.csv").touch()
            raise RmldnnError("no")
        return sorted(str(path) for path in Path("runs").rglob("*") if path.is_file())

    return fail


def test_nothing_stays_of_a_run_that_did_not_begin(failing):
    assert failing() == []
    assert not Path("runs").exists()


def test_a_run_that_does_not_begin_leaves_what_is_there(failing):
    there = ["runs/unet/config.json", "runs/unet/run.json", "runs/unet/state/epoch_2_sample_0/network.pt"]
    assert [file for file in failing(*there) if "history" not in file and "lock" not in file] == there


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"format": "other"}'])
def test_another_folder_is_no_run_folder(content):
    if content is not None:
        Path("run.json").write_text(content)
    with pytest.raises(ConfigError, match=r"^`\.` is no run folder: it has no run.json that can be read"):
        recorded(Path())


def test_a_run_folder_without_its_configuration_is_told(write):
    write()
    Path("runs/unet/config.json").unlink()
    with pytest.raises(ConfigError, match=r"^`runs/unet/config.json` cannot be read"):
        recorded(Path("runs/unet"))


def repository():
    def git(*words):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    return git


def test_no_repository(here):
    assert surroundings.git(here) is None


def test_the_state_of_a_repository(here, capfd):
    git = repository()
    assert surroundings.git(here) == {"commit": None, "changed": False}
    Path("a").touch()
    assert surroundings.git(here)["changed"] is False  # a file that git does not know
    git("add", "a")
    git("commit", "--quiet", "-m", "a")
    Path("folder").mkdir()
    assert surroundings.git(here / "folder") == {"commit": git("rev-parse", "HEAD"), "changed": False}
    Path("a").write_text("changed")
    assert surroundings.git(here)["changed"] is True
    assert capfd.readouterr() == ("", "")


def programs(folder, **texts):
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return str(folder)


def test_a_git_that_takes_long_holds_up_nothing(here, monkeypatch):
    monkeypatch.setattr(surroundings, "_PATIENCE", 0.1)
    monkeypatch.setenv("PATH", programs(here / "bin", git="exec /bin/sleep 30"))
    began = time.monotonic()
    assert surroundings.git(here) == {"commit": None, "changed": None}
    assert time.monotonic() - began < 10


def test_a_machine_without_git(here, monkeypatch):
    monkeypatch.setenv("PATH", programs(here / "bin"))
    assert surroundings.git(here) is None


def test_it_imports_nothing_heavy():
    program = (
        "import sys; from rmldnn.output import run_folder\n"
        "assert not {'torch', 'numpy', 'hydra', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env=dict(os.environ))


def test_a_run_without_a_file_has_a_name_without_blanks():
    assert run_name(COMMAND_LINE) == "rmldnn"
