"""What TensorBoard reads is what the run was."""

from __future__ import annotations

import pytest

from rmldnn.errors import ConfigError
from rmldnn.output.trackers.tensorboard import TensorBoard
from tests.output.trackers.runs import LOSSES, PARAMETERS, PLACES, TEST_LOSSES

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
event_file_writer = pytest.importorskip("tensorboard.summary.writer.event_file_writer")
plugin_data = pytest.importorskip("tensorboard.plugins.hparams.plugin_data_pb2")


@pytest.fixture(autouse=True)
def names_in_order(monkeypatch):
    """Numbers of one length for the files that this process writes.

    Readers take files by name: time in seconds, host, process, number. A run goes on in another second; here it does so
    in the same one, where number 10 comes before 9.
    """
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(100))


def read(folder):
    return accumulator.EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()


def scalars(events, name):
    points = [(event.step, event.value) for event in events.Scalars(name)]
    assert len(dict(points)) == len(points)
    return dict(points)


def hparams(events, tag):
    content = events.SummaryMetadata(f"_hparams_/{tag}").plugin_data.content
    return plugin_data.HParamsPluginData.FromString(content)


def test_scalars_parameters_and_status(tmp_path, config, every_update, feed, run):
    tracker = TensorBoard("run", str(tmp_path), config)
    feed(tracker, run(epochs=3))
    tracker.close()
    events = read(tmp_path / "tensorboard")
    assert scalars(events, "loss") == pytest.approx(LOSSES)
    assert scalars(events, "test_loss") == TEST_LOSSES
    assert scalars(events, "epoch") == {3: 1, 6: 2, 9: 3}
    given = hparams(events, "session_start_info").session_start_info.hparams
    assert {name: getattr(value, value.WhichOneof("kind")) for name, value in given.items()} == PARAMETERS
    assert hparams(events, "session_end_info").session_end_info.status == 1  # success


@PLACES
@pytest.mark.parametrize("closed", [True, False])
def test_a_run_that_was_killed_goes_on_without_a_gap_or_a_double_point(
    tmp_path, config, killed_and_resumed, saved, further, closed
):
    killed_and_resumed(lambda: TensorBoard("run", str(tmp_path), config), saved, further, closed=closed)
    events = read(tmp_path / "tensorboard")
    assert scalars(events, "loss") == pytest.approx(LOSSES)
    assert scalars(events, "train_loss") == pytest.approx({3: 0.5, 6: 0.25, 9: 0.5 / 3})
    assert scalars(events, "test_loss") == TEST_LOSSES
    assert hparams(events, "session_end_info").session_end_info.status == 1


def test_a_run_that_breaks_off_has_failed(tmp_path, config, feed, run):
    tracker = TensorBoard("run", str(tmp_path), config)
    feed(tracker, list(run(epochs=3))[:9])
    tracker.close()
    assert hparams(read(tmp_path / "tensorboard"), "session_end_info").session_end_info.status == 2


def test_runs_share_a_folder_of_logs(tmp_path, config, feed, run):
    for name in ("one", "two"):
        tracker = TensorBoard(name, str(tmp_path / name), config, log_path=str(tmp_path / "logs"))
        feed(tracker, run(epochs=1))
        tracker.close()
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["one", "two"]


def test_a_run_that_begins_anew_hides_the_former_one(tmp_path, config, every_update, feed, run):
    for epochs in (3, 1):
        tracker = TensorBoard("run", str(tmp_path), config)
        feed(tracker, run(epochs=epochs))
        tracker.close()
    assert list(scalars(read(tmp_path / "tensorboard"), "loss")) == [1, 2, 3]


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"^tracking: cannot write to `.*/file/run`: a file is in the place"):
        TensorBoard("run", str(tmp_path), {}, log_path=str(tmp_path / "file"))
