"""What the sections of a configuration ask of each other, where no other file of tests does."""

import pytest
import torch

from rmldnn.config import catalog
from rmldnn.config.check import check
from rmldnn.config.requirements import AVERAGING, SEARCHING


def found(values):
    return [str(problem) for problem in check(values)]


@pytest.mark.parametrize(
    ("name", "keys", "path"),
    [
        ("Hessian", {"gradient_clip": 1.0}, "gradient_clip"),
        ("Hessian", {"precision": "fp16"}, "precision"),
        ("Hessian", {"engine": {"precision": "fp16"}}, "engine.precision"),
        ("ScheduleFreeAdamW", {"ema": 0.9}, "ema"),
    ],
)
def test_what_has_no_meaning_for_an_optimizer_is_refused(classifier, name, keys, path):
    (problem,) = found({**classifier, "optimizer": {"type": name}, **keys})
    assert problem.startswith(f"{path}: has no meaning for an optimizer that ")


def test_these_optimizers_are_those_that_say_so_of_themselves():
    pytest.importorskip("schedulefree")
    forms = catalog.group("optimizer")
    made = {name: form.load()([torch.nn.Parameter(torch.zeros(2, 2))]) for name, form in forms.items()}
    assert {name for name, one in made.items() if getattr(one, "needs_closure", False)} == {*SEARCHING}
    assert {name for name, one in made.items() if hasattr(one, "eval")} == {*AVERAGING}


@pytest.mark.parametrize("task", ["gan", "obj"])
def test_levels_of_resolution_are_refused_once_where_targets_are_not_resized(classifier, task):
    values = {**classifier, "task": {"type": task}, "multigrid": {"levels": [4, 8], "epochs": [1, 1]}}
    assert len([problem for problem in found(values) if problem.startswith("multigrid: ")]) == 1
