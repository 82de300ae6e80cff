"""What a sweep leaves behind."""

import csv
import json

import pytest

from rmldnn.sweeps import report
from rmldnn.sweeps.trial import Outcome, Trial


def ended(folder, *outcomes):
    return [(Trial(number, {}, folder), outcome) for number, outcome in enumerate(outcomes)]


def complete(value, **facts):
    return Outcome("complete", value, 1, 1, **facts)


@pytest.mark.parametrize(
    ("outcomes", "least", "greatest"),
    [
        ([complete(2.0), complete(1.0), complete(3.0)], 1, 2),
        ([complete(1.0), complete(1.0)], 0, 0),
        ([complete(None), complete(0.0)], 1, 1),
        ([Outcome("pruned", 0.0), complete(1.0), Outcome("pruned", 9.0)], 1, 1),
        ([complete(1.0, copy_of=2), complete(2.0), complete(1.0)], 2, 1),
        ([complete(2.0, copy_of=1), complete(2.0)], 1, 1),
        ([Outcome("failed")], None, None),
    ],
)
def test_the_best_was_run_to_its_end(tmp_path, outcomes, least, greatest):
    for minimize, wanted in ((True, least), (False, greatest)):
        top = report.best(ended(tmp_path, *outcomes), minimize=minimize)
        assert (top and top[0].number) == wanted


def test_the_table_for_programs_has_json_in_its_cells(tmp_path):
    values = {"a": "adam", "b": None, "c": True, "d": [{"resize": [8, 8]}], "e": 1e-3, "f": "é, 'x'"}
    copy = complete(0.5, copy_of=0)
    trials = [(Trial(0, values, tmp_path), complete(0.5)), (Trial(1, {**values, "e": 2}, tmp_path), copy)]
    report.write_table(tmp_path, [*trials, (Trial(2, {}, tmp_path), Outcome("failed", failure="no, room"))])
    with (tmp_path / "trials.csv").open(newline="", encoding="utf-8") as file:
        first, second, third = csv.DictReader(file)
    assert first["a"] == "adam"
    assert first["f"] == "é, 'x'"
    assert {key: json.loads(first[key]) for key in "bcde"} == {key: values[key] for key in "bcde"}
    assert (first["copy_of"], second["copy_of"], second["e"]) == ("", "0", "2")
    assert (third["state"], third["value"], third["b"], third["failure"]) == ("failed", "", "", "no, room")


def test_the_table_for_people_has_the_best_first(tmp_path, capsys):
    outcomes = [complete(1.0), Outcome("failed", failure="no room"), complete(2.0), Outcome("pruned", 9.0, 1, 1)]
    for minimize, wanted in ((True, "0231"), (False, "2031")):
        report.print_trials(ended(tmp_path, *outcomes), "test_loss", minimize=minimize)
        rows = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.split()[:1]]
        assert "".join(word for word in rows if word.isdecimal()) == wanted


def test_the_table_for_people_has_the_beginning_of_what_went_wrong(tmp_path, capsys):
    report.print_trials(ended(tmp_path, Outcome("failed", failure="no room " * 40)), "test_loss", minimize=True)
    said = capsys.readouterr().out
    assert "no room no room" in said
    assert said.count("no room") < 10


@pytest.fixture
def trial(tmp_path):
    trial = Trial(0, {"optimizer": "adam"}, tmp_path)
    (trial.folder / "model").mkdir(parents=True)
    for name in ("model_checkpoint_best.pt", "model_checkpoint_3.pt"):
        (trial.folder / "model" / name).write_text(name)
    return trial


def test_of_the_best_trial_its_best_network_is_kept(tmp_path, trial):
    report.keep(tmp_path, trial, {"trial": 0}, {"num_epochs": 3})
    (trial.folder / "model/model_checkpoint_best.pt").write_text("of a better one")
    report.keep(tmp_path, trial, {"trial": 1}, {"num_epochs": 4})
    folder = tmp_path / "best_model"
    assert {path.name for path in folder.iterdir()} == {"config.json", "trial.json", "model_checkpoint_best.pt"}
    assert (folder / "model_checkpoint_best.pt").read_text() == "of a better one"
    assert json.loads((folder / "config.json").read_text()) == {"neural_network": {"num_epochs": 4}}
    assert report.kept(tmp_path) == {"trial": 1}
    assert {path.name for path in tmp_path.iterdir()} == {"trials", "best_model"}


def test_what_cannot_be_removed_is_in_nobodys_way(tmp_path, trial, monkeypatch):
    """NFS keeps names of files that somebody has open, so that their folder is not empty."""
    report.keep(tmp_path, trial, {"trial": 0}, {})
    monkeypatch.setattr(report.shutil, "rmtree", lambda *_, **__: None)
    report.keep(tmp_path, trial, {"trial": 1}, {})
    report.keep(tmp_path, trial, {"trial": 2}, {})
    assert report.kept(tmp_path) == {"trial": 2}


def test_the_best_model_of_a_former_sweep_is_not_that_of_another_one(tmp_path, trial):
    one, other = (report.about(trial, complete(1.0), "test_accuracy", sweep) for sweep in ("one", "other"))
    assert report.kept(tmp_path) == {}
    report.keep(tmp_path, trial, one, {})
    assert report.kept(tmp_path) == one != other
