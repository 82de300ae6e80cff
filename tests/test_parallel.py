"""Several processes give what one gives."""

import json
import shutil
import sys

import h5py
import numpy as np
import pytest
import torch

needs_mpirun = pytest.mark.skipif(shutil.which("mpirun") is None, reason="needs mpirun (Debian: openmpi-bin)")


def mpirun(processes):
    """Open MPI on one machine, whoever and however small it is."""
    return ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-np", str(processes)]


def torchrun(processes):
    """Torch's own launcher."""
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}", "--standalone"]
    return [*command, "-m"]


def history(folder):
    """Loss and gradient norm of every training step."""
    return np.loadtxt(folder / "out_train.txt")[:, -2:]


pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("launch", "processes"), [pytest.param(mpirun, 2, marks=needs_mpirun), (torchrun, 2), (torchrun, 3), (torchrun, 4)]
)
def test_losses_norms_and_predictions_of_many_equal_those_of_one(train, pictures, config, launch, processes):
    config["data"]["batch_size"] = 7  # 22 samples: the last batch holds one, less than there are processes
    alone = train("data.test_output_path=alone")
    expected = history(pictures)
    many = train("data.test_output_path=many", launcher=launch(processes))
    assert many.code == 0, many.err
    assert f"RocketML : {processes} MPI processes" in many.out
    assert len(expected) == 2 * 4, "only one process writes"
    np.testing.assert_allclose(history(pictures), expected, atol=1e-4)
    assert [line.split("(")[1] for line in many.starting("Eval")] == [
        line.split("(")[1] for line in alone.starting("Eval")
    ]
    with h5py.File(pictures / "alone" / "output_2.h5") as one, h5py.File(pictures / "many" / "output_2.h5") as other:
        names = [f"{group}/{name}" for group in one for name in one[group]]
        assert names == [f"{group}/{name}" for group in other for name in other[group]]
        for name in names:
            np.testing.assert_allclose(other[name][()], one[name][()], atol=1e-5)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_sixteen_bits_give_what_they_give_in_one_process(train, pictures, config, precision):
    """They round otherwise in another share of a batch, so less is equal than with 32."""
    config["data"]["batch_size"] = 7
    assert train().code == 0
    whole = history(pictures)
    assert train(f"precision={precision}").code == 0
    expected = history(pictures)
    many = train(f"precision={precision}", "engine.zero=1", launcher=torchrun(2))
    assert many.code == 0, many.err
    assert many.starting(f"   Precision: {precision}")
    np.testing.assert_allclose(history(pictures), expected, rtol=2e-2)
    assert not np.allclose(history(pictures), whole, atol=1e-6), "it computed with 32"


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a compiler (Debian: g++)")
@pytest.mark.parametrize("stage", [1, 2])
def test_compiled_networks_learn_the_same_in_parts(train, pictures, config, stage):
    config["data"]["batch_size"] = 7
    assert train().code == 0
    expected = history(pictures)
    many = train("compile=true", f"engine.zero={stage}", launcher=torchrun(2))
    assert many.code == 0, many.err
    assert many.starting("   Compiled")
    np.testing.assert_allclose(history(pictures), expected, atol=1e-4)


def test_a_faulty_configuration_is_reported_once(train, config):
    config["num_epochs"] = 0
    result = train(launcher=torchrun(2))
    assert result.code != 0
    assert result.err.count("num_epochs: must be a positive integer, got 0") == 1


def test_the_samples_of_a_loss_that_is_no_number_are_those_of_all_processes(train, pictures, config):
    result = train("optimizer.learning_rate=1e20", "optimizer.momentum=0", "run_folder=run", launcher=torchrun(2))
    assert result.code != 0
    told = {line for line in result.err.splitlines() if line.startswith("rmldnn: error: the loss is ")}
    assert len(told) == 1, result.err
    names = (pictures / "run" / "faulty_batch.txt").read_text().splitlines()
    assert f"all {len(names)} in `" in told.pop()
    assert len(names) == len(set(names)) == config["data"]["batch_size"]


def test_a_picture_that_one_process_cannot_read_ends_all(train, pictures):
    (pictures / "train" / "up" / "up_3.png").write_bytes(b"no picture")
    result = train(launcher=torchrun(2))
    assert result.code != 0
    assert "train/up/up_3.png" in result.err


@needs_mpirun
def test_exit_codes_come_through_the_launcher(train, pictures):
    assert train("num_epochs=0", launcher=mpirun(2)).code == 2
    (pictures / "train" / "up" / "up_3.png").write_bytes(b"no picture")
    assert train(launcher=mpirun(2)).code == 3


def test_a_half_set_environment_is_refused(pictures, config, rmldnn):
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    result = rmldnn("config.json", WORLD_SIZE="2", RANK="0")
    assert result.code == 1
    assert "MASTER_ADDR" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("launch", "processes"), [pytest.param(mpirun, 2, marks=needs_mpirun), pytest.param(mpirun, 4, marks=needs_mpirun)]
)
def test_processes_that_assemble_a_volume_write_the_bytes_of_one(tmp_path, monkeypatch, rmldnn, launch, processes):
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "block.npy", np.random.default_rng(0).normal(size=(20, 12, 12)).astype(np.float32))
    convolution = {"name": "c", "filters": 2, "kernel_size": 3, "padding": "same"}
    layers = [{"class_name": "Conv3D", "config": {**convolution, "batch_input_shape": [None, 8, 8, 8, 1]}}]
    slicers = [{"name": "blended", "sizes": [8, 8, 8], "strides": [4, 4, 4]}, {"name": "tiled", "sizes": [8, 8, 8]}]
    data = {"type": "numpy", "test_input_path": "block.npy", "test_batch_size": 4, "slicers": slicers}
    (tmp_path / "config.json").write_text(json.dumps({"neural_network": {"layers": layers, "data": data}}))
    alone = rmldnn("config.json", "data.hdf5_outfile=one.h5")
    many = rmldnn("config.json", "data.hdf5_outfile=many.h5", launcher=launch(processes))
    assert (alone.code, many.code) == (0, 0), alone.err + many.err
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "many.h5").read_bytes()
    assert not list(tmp_path.glob(".*"))


@needs_mpirun
def test_predictions_of_many_are_the_bytes_of_one(train, pictures, config):
    """Dense layers add up in an order that depends on the batch; 7 pictures are no multiple of anything."""
    config["data"] |= {"test_batch_size": 2}
    assert train().code == 0
    names = "checkpoints.load=model/model_checkpoint_2.pt", "data.input_path=null"
    logs = {}
    for processes in (1, 2, 4):
        launcher = mpirun(processes) if processes > 1 else ()
        result = train(*names, f"data.test_output_path=of_{processes}", launcher=launcher)
        assert result.code == 0, result.err
        assert result.starting("   Batch size  (per process): 2")
        logs[processes] = (
            [line.split("(")[-1] for line in result.starting("Eval")],
            (pictures / "out_test.txt").read_text(),
        )
    assert logs[1] == logs[2] == logs[4]
    one = (pictures / "of_1" / "output_1.h5").read_bytes()
    assert one == (pictures / "of_2" / "output_1.h5").read_bytes() == (pictures / "of_4" / "output_1.h5").read_bytes()


@pytest.mark.parametrize(("stage", "shard_size"), [(2, 2_000_000_000), (3, 1000)])
def test_a_run_in_parts_goes_on_in_one_process(train, pictures, config, stage, shard_size):
    """Its checkpoints and its states are those of any other run, in shards or not."""
    config["optimizer"] = {"type": "Adam", "learning_rate": 0.002}
    config |= {"ema": 0.9, "run_folder": "run"}
    config["checkpoints"] = {"save": "./model/", "keep": {"best": "test_loss"}, "shard_size": shard_size}
    config["layers"][0]["config"]["use_bias"] = False
    config["layers"].insert(1, {"class_name": "BatchNormalization", "config": {"name": "norm"}})
    alone = train("run_folder=alone", "checkpoints.save=alone_model", "num_epochs=4")
    assert alone.code == 0, alone.err
    expected = history(pictures)
    many = train(f"engine.zero={stage}", launcher=torchrun(2))
    assert many.code == 0, many.err
    assert [line for line in many.lines if "ZeRO stage" in line]
    assert bool(list((pictures / "run").glob("state/*/shard_1.pt"))) == (shard_size == 1000)
    rest = train("--resume", "num_epochs=4")
    assert rest.code == 0, rest.err
    told = f"The state was saved by 2 processes with `engine.zero` {stage}; this is 1 process with `engine.zero` 0"
    assert rest.starting(told), rest.out
    np.testing.assert_allclose(history(pictures), expected, atol=2e-4)
    assert sorted(path.name for path in (pictures / "model").iterdir()) == [
        f"model_checkpoint_{name}.pt" for name in (1, 2, 3, 4, "best")
    ]
    ours, theirs = (
        torch.load(pictures / folder / "model_checkpoint_best.pt", weights_only=True)["model"]
        for folder in ("model", "alone_model")
    )
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, atol=2e-3, rtol=1e-3)
