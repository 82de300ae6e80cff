"""What a sweep leaves behind."""

from rmldnn.sweeps import report
from rmldnn.sweeps.trial import Outcome, Trial


def test_the_best_model_of_a_former_sweep_is_not_that_of_another_one(tmp_path):
    trial, outcome = Trial(0, {"optimizer": "adam"}, tmp_path), Outcome("complete", 1.0, 1, 1)
    (trial.folder / "model").mkdir(parents=True)
    one, other = (report.about(trial, outcome, "test_accuracy", sweep) for sweep in ("one", "other"))
    assert report.kept(tmp_path) == {}
    report.keep(tmp_path, trial, one, {})
    assert report.kept(tmp_path) == one != other
