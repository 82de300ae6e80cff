"""The drawings of a sweep."""

import logging
import sys

import pytest

pytest.importorskip("optuna")

from rmldnn.sweeps import plots
from tests.sweeps.test_study import GRID, complete, opened


@pytest.fixture
def study(tmp_path):
    study = opened(tmp_path, GRID)
    for value in (3.0, 1.0, 4.0):
        complete(study, value)
    return study


def test_importance_is_drawn_where_there_are_trials_enough(study, monkeypatch):
    pytest.importorskip("matplotlib")
    drawn = plots.draw(study, "test_loss")
    assert [path.name for path in drawn] == ["history.png", "parallel_coordinate.png"]
    monkeypatch.setattr(plots, "_TELLING", 3)
    drawn = plots.draw(study, "test_loss")
    assert [path.name for path in drawn] == ["history.png", "parallel_coordinate.png", "importance.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)


def test_one_trial_gives_nothing_to_compare(tmp_path):
    study = opened(tmp_path, GRID)
    complete(study)
    assert plots.draw(study, "test_loss") == []


def test_without_matplotlib_the_remedy_is_told(study, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with caplog.at_level(logging.INFO, "rmldnn"):
        assert plots.draw(study, "test_loss") == []
    assert "type: pip install 'rmldnn[sweep]'" in caplog.text


def test_a_place_that_cannot_be_written_is_told_and_ends_no_sweep(study, caplog):
    pytest.importorskip("matplotlib")
    (study.folder / "plots").write_text("a file")
    with caplog.at_level(logging.INFO, "rmldnn"):
        assert plots.draw(study, "test_loss") == []
    assert "No plot `history.png`: cannot write to" in caplog.text


def test_a_drawing_is_there_entirely_or_not_at_all(study, monkeypatch):
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    assert len(plots.draw(study, "test_loss")) == 2
    before = (study.folder / "plots/history.png").read_bytes()

    def half(_, file, **__):
        file.write_bytes(before[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", half)
    assert plots.draw(study, "test_loss") == []
    assert (study.folder / "plots/history.png").read_bytes() == before
    assert sorted(path.name for path in (study.folder / "plots").iterdir()) == [
        "history.png",
        "parallel_coordinate.png",
    ]
