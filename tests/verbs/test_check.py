"""`rmldnn check`, for people and for programs."""

import json
import re
import stat

import pytest

from rmldnn.cli import main


@pytest.fixture
def check(pictures, capsys):
    """Runs the command on a configuration; what it said, and its exit code."""

    def run(config, *options, text=None):
        content = text or json.dumps({"neural_network": config}, indent=2)
        (pictures / "config.json").write_text(content)
        code = main(["check", "config.json", *options])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_what_is_right_is_described(check, config):
    code, out, err = check(config)
    assert (code, err) == (0, "")
    assert "242, of which 242 learn" in out
    assert "22, of which 3 were looked at" in out
    assert "No problems" in out


def test_every_fault_of_the_file_has_its_change(check, config):
    config["optimizer"]["momentun"] = config["optimizer"].pop("momentum")
    config["loss"] = {"function": "NNL"}
    code, out, err = check(config)
    assert (code, out) == (2, "")
    assert '-      "momentun": 0.5\n    +      "momentum": 0.5' in err
    assert '-      "function": "NNL"\n    +      "function": "NLL"' in err


def test_fix_changes_the_file_and_shows_it(check, config, pictures):
    config["optimizer"]["momentun"] = config["optimizer"].pop("momentum")
    code, out, _ = check(config, "--fix")
    assert code == 0
    assert '+      "momentum": 0.5' in out
    assert json.loads((pictures / "config.json").read_text())["neural_network"]["optimizer"]["momentum"] == 0.5


def test_fix_keeps_a_link_and_what_others_may_do_with_the_file(config, pictures, capsys):
    config["optimizer"]["momentun"] = config["optimizer"].pop("momentum")
    (pictures / "real.json").write_text(json.dumps({"neural_network": config}, indent=2))
    (pictures / "real.json").chmod(0o640)
    (pictures / "config.json").symlink_to("real.json")
    assert main(["check", "config.json", "--fix"]) == 0
    assert (pictures / "config.json").is_symlink()
    assert stat.S_IMODE((pictures / "real.json").stat().st_mode) == 0o640


def test_without_fix_the_file_stays(check, config, pictures):
    config["optimizer"]["momentun"] = config["optimizer"].pop("momentum")
    check(config)
    assert "momentun" in (pictures / "config.json").read_text()


def test_nothing_is_made(check, config, pictures):
    before = {*pictures.rglob("*"), pictures / "config.json"}
    config["data"]["test_output_path"] = "out/deep/"
    assert check(config)[0] == 0
    assert {*pictures.rglob("*")} == before


def test_faults_of_the_data_have_their_exit_code(check, config):
    config["data"]["input_path"] = "./trian/"
    code, _, err = check(config)
    assert code == 3
    assert "data.input_path: `./trian/` does not exist" in err


def test_a_faulty_file_is_told_without_torch(pictures, config, rmldnn):
    config["seeed"] = 1
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    told = rmldnn("check", "config.json", PYTHONPROFILEIMPORTTIME="1")
    assert told.code == 2
    assert not [line for line in told.err.splitlines() if line.endswith("| torch")]


def test_for_programs(check, config):
    config["optimizer"]["momentun"] = config["optimizer"].pop("momentum")
    told = json.loads(check(config, "--json")[1])
    (problem,) = told["problems"]
    assert (problem["path"], problem["patch"]["safe"]) == ("optimizer.momentun", True)
    assert told["run"] is None


def test_memory_of_each_process(check, config):
    one = json.loads(check(config, "--json")[1])["run"]["bytes"]
    two = json.loads(check(config, "--json", "--procs", "2", "engine.zero=2")[1])["run"]["bytes"]
    assert two["weights"] == one["weights"] == 4 * 242
    assert two["gradients"] == two["optimizer"] == one["optimizer"] / 2
    assert two["activations"] == one["activations"] / 2


def test_changes_of_the_command_line_are_checked(check, config):
    code, _, err = check(config, "loss.source=sigmoid")
    assert code == 2
    assert "command line: loss.source: NLL takes classes of which one is right" in err


def test_the_section_of_a_sweep_is_tried_too(check, config):
    config["sweep"] = {
        "optimizer.momentun": [0.5, 0.9],
        "optimizer.learning_rate": [1e-3, "a"],
        "data.batch_size": {"log": [4, 8]},
    }
    code, _, err = check(config)
    assert code == 2
    for path in config["sweep"]:
        assert re.search(rf"config.json:\d+: sweep\.{re.escape(path)}: ", err), path
    config["sweep"] = {"checkpoints": [1]}
    assert "sweep.checkpoints: cannot be set here" in check(config)[2]
    config["sweep"] = {"optimizer.learning_rate": [0.1, 0.2], "monitor": "test_acuracy"}
    code, _, err = check(config)
    assert code == 2
    assert re.search(r"config.json:\d+: sweep.monitor: this run has no `test_acuracy`", err)


def test_a_sweep_of_the_command_line_is_tried(check, config):
    code, out, _ = check(config, "-m", "optimizer=adam,sgd")
    assert code == 0
    assert re.search(r"Swept by -m +optimizer\b", out)
    code, _, err = check(config, "-m", "optimizer=adam,sgdd")
    assert code == 2
    assert "command line: sweep.optimizer: there is no optimizer `sgdd`" in err


def test_a_change_that_would_bring_another_fault_is_not_promised(check, config):
    config["optimizer"]["momentun"] = "much"
    del config["optimizer"]["momentum"]
    code, _, err = check(config)
    assert code == 2
    assert "rmldnn: 1 problem\n" in err
