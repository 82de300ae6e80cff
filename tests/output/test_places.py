"""Places that cannot take what a run writes, and how that is told."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from rmldnn.errors import ConfigError
from rmldnn.output.places import make_folder, require_place, require_room


def test_a_folder_is_made(tmp_path):
    assert list(make_folder(tmp_path / "a" / "b", key="x").iterdir()) == []


@pytest.mark.parametrize("path", ["/proc/1", "/proc/new"])
def test_a_folder_that_takes_no_files_is_a_fault_of_its_key(path):
    with pytest.raises(ConfigError, match=rf"^x: cannot write to `{path}`: .*; name a place that you may write to"):
        make_folder(path, key="x")


def test_a_folder_that_could_be_made_is_not_made(tmp_path):
    require_place(tmp_path / "a" / "b", key="x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/proc/1", "/proc/new/deep"])
def test_a_folder_that_could_not_be_made_is_a_fault_of_its_key(path):
    with pytest.raises(ConfigError, match=rf"^x: cannot write to `{path}`: .*; name a place that you may write to"):
        require_place(path, key="x")


def test_a_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(ConfigError, match="a file is in the place of a folder"):
        require_place(tmp_path / "a" / "b", key="x")


def test_room_that_there_is_not(tmp_path):
    with pytest.raises(ConfigError, match=r"^x: `.*` has room for .*B, but things need about 32768 TiB; make room"):
        require_room(tmp_path, 2**55, key="x", what="things")


def test_room_of_files_that_are_replaced_is_free(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    with (tmp_path / "old.bin").open("wb") as file:
        file.truncate(2**40)  # sparse
    require_room(tmp_path, free + 2**39, key="x", what="things", own="*.bin")
    with pytest.raises(ConfigError):
        require_room(tmp_path, free + 2**39, key="x", what="things", own="*.txt")


_SMALL = """
import subprocess, sys
import torch
from torch import nn
from rmldnn.errors import ConfigError, RmldnnError
from rmldnn.networks import weights
from rmldnn.output.places import require_room
place = sys.argv[1]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", place], check=True)
small, large = nn.Linear(10, 10), nn.Linear(1000, 100)
for suffix in ("pt", "safetensors"):
    weights.write(f"{place}/w.{suffix}", small)
    try:
        weights.write(f"{place}/w.{suffix}", large)
    except RmldnnError as error:
        print(error)
    weights.load(f"{place}/w.{suffix}", small)
try:
    require_room(__import__("pathlib").Path(place), 300_000, key="x", what="things")
except ConfigError as error:
    print(error)
print(sorted(path.name for path in __import__("pathlib").Path(place).iterdir()))
"""


def test_a_disk_that_is_full_is_told_and_older_files_stay(tmp_path):
    alone = ["unshare", "--map-root-user", "--mount"]
    try:
        subprocess.run([*alone, "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs leave to mount a small disk")
    done = subprocess.run(
        [*alone, sys.executable, "-c", _SMALL, str(tmp_path)], capture_output=True, text=True, check=False
    )
    first, second, third, files = done.stdout.splitlines() or [done.stderr] * 4
    assert first == f"cannot write checkpoint `{tmp_path}/w.pt`: no space left on `{tmp_path}`"
    assert second == f"cannot write checkpoint `{tmp_path}/w.safetensors`: no space left on `{tmp_path}`"
    assert "KiB, but things need about 293 KiB" in third
    assert files == "['w.pt', 'w.safetensors']"
