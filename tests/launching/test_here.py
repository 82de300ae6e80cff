import pytest

from rmldnn.engine import cores
from rmldnn.errors import ConfigError, LaunchError
from rmldnn.launching import here


@pytest.mark.parametrize(
    ("arguments", "rest"),
    [
        (["config.json", "--procs", "4", "--resume"], ["config.json", "--resume"]),
        (["--procs=auto", "config.json"], ["config.json"]),
        (["rerun", "runs/a", "--procs", "2"], ["rerun", "runs/a"]),
    ],
)
def test_processes_get_the_command_line_without_their_number(arguments, rest):
    assert here.without(arguments) == rest


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", ""])
def test_a_wrong_number_is_refused(text):
    with pytest.raises(ConfigError, match=r"command line: --procs: must be a positive integer or `auto`, got `"):
        here.number(text)


def test_automatic_is_one_for_each_node_where_there_is_no_gpu():
    assert here.number("auto") == len(cores.nodes(cores.usable()))


def test_not_under_another_launcher(monkeypatch):
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "0")
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    monkeypatch.setenv("OMPI_COMM_WORLD_LOCAL_SIZE", "2")
    with pytest.raises(LaunchError, match="has started 2 of this one already; leave out either --procs or the"):
        here.number("2")
