import pytest

from rmldnn.config.pde import check_equation

POISSON = {"function": "Poisson2D_PDE"}
EXACT = {**POISSON, "boundary": "exact"}


@pytest.mark.parametrize("task", [None, {"type": "dnn"}, {"type": "pde"}, "PDE"])
@pytest.mark.parametrize("loss", [POISSON, None])
def test_an_equation_goes_with_either_task(task, loss):
    assert not list(check_equation({"task": task, "loss": loss}))


@pytest.mark.parametrize("loss", [{"function": "MSE"}, [POISSON], [POISSON, {"function": "MSE"}]])
def test_the_task_takes_one_equation(loss):
    (problem,) = check_equation({"task": {"type": "pde"}, "loss": loss})
    assert problem.path == "loss"
    assert problem.message.startswith("the task `pde` takes one differential equation: ")
    assert "Poisson2D_PDE" in problem.message


@pytest.mark.parametrize("loss", [EXACT, [{"function": "MSE"}, EXACT]])
def test_exact_boundaries_need_the_task(loss):
    (problem,) = check_equation({"loss": loss})
    assert (problem.path, problem.message.count("--app=pde")) == ("loss.boundary", 1)
    remaining = list(check_equation({"task": "pde", "loss": loss}))
    assert all(problem.path == "loss" for problem in remaining)
