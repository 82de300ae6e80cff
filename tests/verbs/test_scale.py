"""`rmldnn scale`, for people and for programs."""

import json
import shutil
import sys
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from rmldnn.cli import main
from rmldnn.scaling import report
from rmldnn.scaling.model import Machine
from tests.conftest import command

PARAMETERS = 4 * 9 + 4 + 2 * 100 + 2
"""Of the network that the configuration of tests describes."""


@pytest.fixture
def scale(pictures, config, capsys):
    """Runs the command on the configuration; what it said."""

    def scale(*options, code=0):
        (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
        assert main(["scale", "config.json", "--seconds", "0.5", *options]) == code
        said = capsys.readouterr()
        return said.err if code else said.out

    return scale


def test_what_is_measured_and_predicted(scale):
    found = json.loads(scale("--nodes", "1,4", "--json"))
    measured = found["measured"]
    assert measured["gradient_bytes"] == 4 * PARAMETERS
    assert measured["parameters"] == 4
    assert [batch["size"] for batch in measured["batches"]] == [1, 3, 8]
    assert measured["training_samples"] == 22
    assert 0 < measured["backward"] < 1
    assert measured["loading"] > 0
    for way, batch in (("strong", 8), ("weak", 32)):
        one, four = found[way]
        assert (one["efficiency"], one["parts"]["communication"]) == (pytest.approx(1), 0)
        assert (four["processes"], four["batch_size"]) == (4, batch)
        assert four["parts"]["communication"] > 0
        assert four["step_seconds"] == pytest.approx(sum(four["parts"].values()))


def test_nothing_is_written(scale):
    before = {*Path().iterdir()} | {Path("config.json")}
    scale()
    assert {*Path().iterdir()} == before


def test_batch_normalisation_exchanges_with_every_layer(scale, config):
    config["layers"].insert(1, {"class_name": "BatchNormalization", "config": {"name": "bn"}})
    alone = json.loads(scale("--json", "sync_batchnorm=false"))["measured"]["exchanges"]
    assert json.loads(scale("--json"))["measured"]["exchanges"] == alone + 2


def test_one_way_and_the_limit_for_people(scale):
    text = scale("--weak", "--nodes", "1,4096", "--bandwidth", "1e-6", "--deviation", "0")
    assert "Strong scaling" not in text
    assert "Weak scaling is limited by communication from 4096 nodes on." in text.replace("4,096", "4096")


def test_hints_name_a_batch_that_is_worth_the_nodes(scale):
    from rmldnn.scaling.hints import hints
    from rmldnn.scaling.model import Machine, Measured, Method, predict
    from rmldnn.scaling.probe import Probed

    probed = Probed(Measured(1e-2, 1e-2, exchanges=0), Method(), 32, 1000, [], 0.0, None, "CPU")
    rows = predict(probed.measured, Machine(), probed.method, [1, 16], 32, weak=False)
    told = hints("strong", rows, probed, Machine())
    assert "limited by fixed time from 16 nodes on" in told
    assert "`data.batch_size` 64 would bring 80% on 16 nodes" in told


@pytest.mark.parametrize(
    ("method", "hint"),
    [
        ({"overlap": False}, "`engine.overlap` true with `engine.bucket_size` 20000000"),
        ({"overlap": True, "bucket": 1e9}, " `engine.bucket_size` 20000000 sends"),
    ],
)
def test_the_hint_to_send_while_computing(method, hint):
    from rmldnn.scaling.hints import hints
    from rmldnn.scaling.model import Machine, Measured, Method, predict
    from rmldnn.scaling.probe import Probed

    ready = [(place / 10, 40_000_000) for place in range(1, 11)]
    probed = Probed(Measured(1e-3, 1e-1, ready=ready), Method(**method), 32, 1000, [], 0.0, None, "GPU")
    rows = predict(probed.measured, Machine(), probed.method, [1, 16], 32, weak=True)
    assert hint in hints("weak", rows, probed, Machine())


def test_the_hint_holds_what_it_says():
    from rmldnn.scaling.model import Machine, Measured, Method, predict

    efficiency = [
        predict(Measured(1e-2, 1e-2, exchanges=0), Machine(), Method(), [16], batch, weak=False)[0].efficiency
        for batch in (32, 64)
    ]
    assert efficiency[0] < 0.8 <= efficiency[1]


def test_random_numbers_do_without_data(scale, config):
    config["data"]["input_path"] = "./elsewhere/"
    found = json.loads(scale("--synthetic", "--json"))
    assert found["measured"]["gradient_bytes"] == 4 * PARAMETERS
    assert found["measured"]["training_samples"] is None


def test_random_targets_of_a_loss_of_numbers(scale, config):
    config["loss"] = {"function": "MSE"}
    assert json.loads(scale("--synthetic", "--json"))["measured"]["per_sample"] > 0


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--nodes", "1,many"], '--nodes must be positive integers such as 1,8,64,512, got "1,many"'),
        (["--nodes", "0"], "--nodes must be positive integers"),
        (["--bandwidth", "0"], "--bandwidth must be greater than 0, got 0"),
        (["--deviation", "-1"], "--deviation must be at least 0, got -1"),
        (["data.input_path=null"], "data.input_path: is missing"),
        (["optimizer=hessian"], "evaluates the loss as often as it needs"),
    ],
)
def test_what_is_wrong_is_said(scale, options, fault):
    assert fault in scale(*options, code=2)


def test_more_processes_of_a_node_share_its_cores(scale, monkeypatch):
    monkeypatch.setattr("rmldnn.engine.cores.worth", lambda: 8)
    before = torch.get_num_threads()
    torch.set_num_threads(6)
    try:
        assert json.loads(scale("--json", "--procs-per-node", "4"))["device"] == "CPU, 2 threads"
        torch.set_num_threads(6)
        assert json.loads(scale("--json"))["device"] == "CPU, 6 threads"
        assert "--procs-per-node must be at most 8 on CPUs" in scale("--procs-per-node", "9", code=2)
    finally:
        torch.set_num_threads(before)


def test_where_the_numbers_of_a_network_are_from():
    def told(apart, **given):
        given = Namespace(**{"bandwidth": None, "latency": None, "local_bandwidth": None, **given})
        _, _, rows = report.nodes(Machine(2, 1e9, 1e-6, 2e9, 2e-6), given, exchanged=True, apart=apart)
        return [text for _, text in rows[1:]]

    assert told(apart=False) == ["1 GB/s, 1 us (assumed)", "2 GB/s, 2 us (measured)"]
    assert told(apart=True) == ["1 GB/s, 1 us (measured)", "2 GB/s, 2 us (assumed)"]
    assert told(apart=True, latency=3.0, local_bandwidth=2.0) == [
        "1 GB/s (measured), 1 us (given)",
        "2 GB/s (given), 2 us (assumed)",
    ]


@pytest.mark.slow
def test_processes_that_we_start_measure_too(pictures, config):
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    said = command("scale", "config.json", "--json", "--seconds", "4", "--nodes", "1,2", "--procs", "2")
    assert said.code == 0, said.err
    assert json.loads(said.out)["machine"]["processes"] == 2


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("mpirun") is None, reason="needs mpirun (Debian: openmpi-bin)")
def test_what_goes_through_mpirun_into_a_file_is_plain(pictures, config):
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    mpirun = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-np", "1"]
    said = command("scale", "config.json", "--seconds", "1", launcher=mpirun, TERM="xterm-256color")
    assert said.code == 0, said.err
    assert "Strong scaling" in said.out
    assert "\x1b" not in said.out


@pytest.mark.slow
def test_two_processes_measure_what_is_between_them(pictures, config):
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone", "-m"]
    said = command("scale", "config.json", "--json", "--seconds", "6", "--nodes", "1,2", launcher=launcher)
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["machine"]["processes"] == 2
    assert found["machine"]["local_bandwidth"] not in (2e9, 50e9)
    assert [batch["size"] for batch in found["measured"]["batches"]] == [1, 2, 4], "each has half of the batch"
    assert found["strong"][0]["parts"]["communication"] > 0
