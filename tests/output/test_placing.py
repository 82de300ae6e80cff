"""Outputs in the run folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmldnn.errors import ConfigError
from rmldnn.output.placing import moved, placed


def test_the_run_folder_in_the_places_of_outputs():
    config = {"outfile": "{run_folder}/out.txt", "checkpoints": {"save": "model", "load": None}, "data": {}}
    assert placed(config, Path("runs/a")) == config | {"outfile": "runs/a/out.txt"}
    with pytest.raises(ConfigError, match=r"^outfile: only a training has a run folder, got `{run_folder}/out.txt`"):
        placed(config, None)


def test_every_output_gets_another_place_and_the_configuration_stays():
    data = {"input_path": "a", "test_output_path": "b", "hdf5_outfile": "c"}
    config = {"outfile": None, "checkpoints": None, "data": data}
    assert moved(config, lambda key, place: f"{key}/{place}")["data"] == {
        "input_path": "a",
        "test_output_path": "data.test_output_path/b",
        "hdf5_outfile": "data.hdf5_outfile/c",
    }
    assert config["data"] == {"input_path": "a", "test_output_path": "b", "hdf5_outfile": "c"}
