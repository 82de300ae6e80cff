"""Runs with settings for DeepSpeed: refused before anything is started, and told of in the log."""

import json
import subprocess
import sys

import pytest

from tests.test_parallel import mpirun, needs_mpirun

WRONG = {"zero_optimization": {"reduce_bucket_size": -5, "stages": 2}, "aio": {"blok_size": 1}}
FAULTS = [
    "deepspeed.zero_optimization.reduce_bucket_size: must be a positive integer, got -5",
    "did you mean `stage`? This is said by `engine.zero` here",
    "did you mean `block_size`?",
]


@pytest.fixture
def file(pictures, config):
    """Writes a configuration with further keys."""

    def write(**keys):
        (pictures / "config.json").write_text(json.dumps({"neural_network": {**config, **keys}}))

    return write


def told(result):
    return [line for line in result.err.splitlines() if line.startswith("rmldnn: error: ")]


def require_faults(result):
    assert result.code == 2, result.err
    assert len(told(result)) == len(FAULTS)
    assert all(any(fault in line for line in told(result)) for fault in FAULTS)


@pytest.mark.parametrize(
    "words", [["config.json", "--procs", "2"], ["submit", "config.json", "--time", "60"], ["config", "config.json"]]
)
def test_wrong_settings_are_refused_all_at_once(file, rmldnn, words):
    file(deepspeed=WRONG)
    require_faults(rmldnn(*words))


@needs_mpirun
def test_wrong_settings_are_told_once_under_a_launcher(file, rmldnn):
    file(deepspeed=WRONG)
    require_faults(rmldnn("config.json", launcher=mpirun(2)))


@pytest.mark.parametrize("keys", [{"deepspeed": WRONG}, {"engine": {"zero": 2}, "optimizer": {"type": "Muon"}}])
def test_no_process_is_started_for_a_wrong_configuration(file, keys):
    file(**keys)
    program = (
        "import sys; started = []\n"
        "starts = ('subprocess.Popen', 'os.fork', 'os.posix_spawn')\n"
        "sys.addaudithook(lambda event, _: started.append(event) if event in starts else None)\n"
        "from rmldnn.cli import main\n"
        "assert main(['config.json', '--procs', '2']) == 2\n"
        "assert not started\n"
        "assert 'torch' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"engine": {"zero": 2}, "optimizer": "Muon"}, "engine.zero: "),
        ({"engine": {"zero": 3, "offload": "nvme"}, "optimizer": "Adagrad"}, "engine.offload: "),
    ],
)
@pytest.mark.parametrize("words", [["submit", "config.json", "--time", "60"], ["config", "config.json", "--deepspeed"]])
def test_an_optimizer_that_a_run_would_refuse_is_refused(file, rmldnn, keys, path, words):
    file(**keys)
    result = rmldnn(*words)
    assert result.code == 2
    assert [path in line for line in told(result)] == [True]


def test_what_only_the_installed_deepspeed_refuses_is_a_fault_of_the_configuration(train):
    """Direct ways from a disk to a GPU, where there is none."""
    result = train("engine.zero=1", "++deepspeed.aio.use_gds=true")
    assert result.code == 2
    (line,) = told(result)
    assert "deepspeed: DeepSpeed " in line
    assert "refuses its settings (GDS " in line


def test_one_process_tells_what_is_in_effect(train):
    result = train("engine.zero=2", "engine.offload=cpu", "engine.bucket_size=1e6", "num_epochs=1")
    assert result.code == 0, result.err
    assert result.starting("   ZeRO stage: 2")
    assert result.starting("   Offload   : cpu")


def test_one_process_that_needs_no_deepspeed_is_silent_of_it(train):
    result = train("num_epochs=1")
    assert result.code == 0, result.err
    assert not [line for line in result.lines if "DeepSpeed" in line or "ZeRO" in line]
