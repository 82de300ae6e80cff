"""A volume of four gigabytes goes through a run in the memory of a laptop."""

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest

EXTENT = (1024, 1024, 1024)
PLANES = (0, 63, 64, 700, 1023)
LIMIT = 2**30

MEASURED = """
import pathlib, sys
from rmldnn.cli import main
code = main(["config.json"])
status = pathlib.Path("/proc/self/status").read_text()  # ru_maxrss knows also the peak of whoever started this process
print("peak", int(status.partition("VmHWM:")[2].split()[0]) * 1024)
sys.exit(code)
"""


def block(path):
    """A file in which only some planes take room on the disk; the rest are holes, which are read as zeros."""
    with h5py.File(path, "w") as file:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        space = h5py.h5s.create_simple(EXTENT)
        h5py.h5d.create(file.id, b"input", h5py.h5t.IEEE_F32LE, space, plan)
        for plane in PLANES:
            file["input"][plane] = np.random.default_rng(plane).random(EXTENT[1:], np.float32)


@pytest.mark.slow
def test_a_block_of_four_gigabytes_is_cut_predicted_and_assembled_in_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    block("block.h5")
    identity = {"name": "same", "activation": "linear", "batch_input_shape": [None, 64, 64, 256, 1]}
    config = {
        "layers": [{"class_name": "Activation", "config": identity}],
        "data": {
            "type": "hdf5",
            "test_input_path": "block.h5",
            "hdf5_outfile": "out.h5",
            "test_batch_size": 8,
            "slicers": [{"name": "cubes", "sizes": [64, 64, 256]}],
        },
    }
    (tmp_path / "config.json").write_text(json.dumps({"neural_network": config}))
    run = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    peak = int(run.stdout.rpartition("peak")[2])
    assert peak < LIMIT, f"{peak / 2**20:.0f} MiB"
    with h5py.File("block.h5") as before, h5py.File("out.h5") as after:
        assert after["cubes"].shape == (*EXTENT, 1)
        for plane in (*PLANES, 1, 500):
            assert np.array_equal(after["cubes"][plane, ..., 0], before["input"][plane])
    for file in ("block.h5", "out.h5"):
        (tmp_path / file).unlink()  # gigabytes, which pytest would keep for later runs
