"""What the client of Weights & Biases keeps to be sent is what the run was."""

from __future__ import annotations

import json
import time

import pytest

from rmldnn.errors import ConfigError
from rmldnn.output.trackers.wandb import WandB
from tests.output.trackers.runs import LOSSES, PARAMETERS, TEST_LOSSES

messages = pytest.importorskip("wandb.proto.wandb_internal_pb2")


def records(path):
    """The records in a file of wandb, which has the format of LevelDB's log: blocks of 32 KiB, chunks with 7 bytes
    that say checksum, length and kind (1: whole, 2, 3, 4: first, middle, last part).
    """
    data, place, parts = path.read_bytes(), 7, b""
    while place + 7 <= len(data):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        size, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        parts += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):
            yield messages.Record.FromString(parts)
            parts = b""


def finished(path):
    """The records in the file of a run that has ended, which a process of its own may still be writing."""
    for _ in range(100):
        found = list(records(path))
        if any(record.WhichOneof("record_type") == "exit" for record in found):
            return found
        time.sleep(0.1)
    raise AssertionError(f"{path} has no end")


def read(folder):
    """History, configuration, exit code and number of each run in a folder."""
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        history, config, code, number = [], {}, None, None
        for record in finished(path):
            kind = record.WhichOneof("record_type")
            if kind == "history":
                history.append(
                    {(item.key or item.nested_key[0]): json.loads(item.value_json) for item in record.history.item}
                )
            elif kind == "run":
                config = {item.key: json.loads(item.value_json) for item in record.run.config.update}
                number = record.run.run_id
            elif kind == "exit":
                code = record.exit.exit_code
        yield history, config, code, number


def scalars(history, name):
    points = [(row["step"], row[name]) for row in history if name in row]
    assert len(dict(points)) == len(points)
    return dict(points)


def test_scalars_parameters_and_status(tmp_path, config, every_update, feed, run, capfd):
    tracker = WandB("config-2", str(tmp_path), config, project="digits", mode="offline")
    feed(tracker, run(epochs=3))
    tracker.close()
    ((history, given, code, _),) = read(tmp_path)
    assert scalars(history, "loss") == pytest.approx(LOSSES)
    assert scalars(history, "test_loss") == TEST_LOSSES
    assert {name: value for name, value in given.items() if name != "_wandb"} == PARAMETERS
    assert code == 0
    assert capfd.readouterr() == ("", "")


def test_a_run_that_was_killed_goes_on_as_the_same_one(tmp_path, config, killed_and_resumed):
    def make():
        time.sleep(1.0)  # its folders are called by the second
        return WandB("run", str(tmp_path), config, mode="offline")

    killed_and_resumed(make, saved=7, further=0)
    (first, _, failed, one), (second, _, code, other) = read(tmp_path)
    assert (one, failed, code) == (other, 1, 0)
    assert scalars([*first, *second], "loss") == pytest.approx(LOSSES)
    assert scalars([*first, *second], "test_loss") == TEST_LOSSES


def test_a_run_that_begins_anew_in_the_same_folder_is_another_one(tmp_path, config, feed, run):
    for _ in range(2):
        tracker = WandB("run", str(tmp_path), config, mode="offline")
        feed(tracker, run(epochs=1))
        tracker.close()
    (*_, one), (*_, other) = read(tmp_path)
    assert one != other


def test_disabled_keeps_nothing(tmp_path, config, feed, run):
    tracker = WandB("run", str(tmp_path), config, mode="disabled")
    feed(tracker, run(epochs=1))
    tracker.close()
    assert list(read(tmp_path)) == []


def test_nobody_logged_in_is_a_fault_of_the_configuration(tmp_path, config, run, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    tracker = WandB("run", str(tmp_path), config, mode="online")
    with pytest.raises(ConfigError, match=r"^tracking: `WandB` does not take the run: .*; call `wandb login`"):
        tracker.consume(next(run()))
