"""Numbers of the optimizer on a disk: training and states as in memory, and what a machine may lack for it."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from nvme_run import WAYS
from test_parallel import finish, start
from torch.utils.cpp_extension import get_default_build_root

from rmldnn.engine.swapping import room
from rmldnn.engine.zero import engine
from rmldnn.errors import ConfigError
from rmldnn.optimizers.sgd import sgd

SCRIPT = str(Path(__file__).parent / "nvme_run.py")
EXTENSIONS = Path(os.environ.get("TORCH_EXTENSIONS_DIR") or get_default_build_root())


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What a process learned by each way, in memory and on the disk."""
    if not any(EXTENSIONS.rglob("async_io.so")):
        pytest.skip("takes minutes, unless DeepSpeed's operator async_io is compiled: AsyncIOBuilder().load()")
    folder = tmp_path_factory.mktemp("nvme")
    ((code, _, err),) = finish([start([sys.executable, SCRIPT, str(folder)], OMP_NUM_THREADS="1")])
    assert code == 0, err
    return json.loads((folder / "seen.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_on_a_disk_it_learns_what_it_learns_in_memory(seen, way):
    assert np.array(seen[way]["disk"]) == pytest.approx(np.array(seen[way]["memory"]), rel=1e-4, abs=1e-4)


@pytest.mark.slow
def test_numbers_were_on_the_disk_and_nothing_is_left_there(seen):
    assert any("exp_avg_sq" in name for name in seen["files"])
    assert seen["left"] == []


@pytest.mark.slow
def test_a_run_on_a_machine_without_a_compiler_is_told_what_is_missing(train, tmp_path):
    result = train(
        "engine.zero=3",
        "engine.offload=nvme",
        f"engine.offload_path={tmp_path / 'disk'}",
        fresh=True,
        PATH="/nowhere",
        TORCH_EXTENSIONS_DIR=str(tmp_path / "compiled"),
    )
    assert result.code == 2
    assert "engine.offload: needs DeepSpeed's operator async_io for `nvme`, which cannot be compiled here" in result.err
    assert "install a C++ compiler" in result.err
    assert "Traceback" not in result.err


def optimizer(count=1):
    return sgd([torch.nn.Parameter(torch.empty(count, device="meta"))])


def test_a_folder_that_takes_no_files_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"engine\.offload_path: takes no files .*File exists"):
        room(str(tmp_path / "file"), optimizer(), 1, lambda: None)


def test_a_folder_that_cannot_be_written_is_refused():
    with pytest.raises(ConfigError, match=r"engine\.offload_path: must be a folder that you may write to, got `/sys`"):
        room("/sys", optimizer(), 1, lambda: None)


def test_each_user_has_a_folder_by_default():
    assert engine().offload_path == f"/tmp/rmldnn-{os.getuid()}"
    assert engine(offload_path="/scratch").offload_path == "/scratch"


def test_more_locked_memory_than_there_is_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"engine\.offload: locks .* MiB of memory with `nvme`, which this machine"):
        room(str(tmp_path), optimizer(count=2**50), 1, lambda: None)
