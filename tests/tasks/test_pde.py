import pytest
import torch

from rmldnn.losses.poisson import Poisson2D
from rmldnn.losses.reduction import alone
from rmldnn.steps import Batch
from rmldnn.tasks.pde import Solving

NETWORK = torch.nn.Conv2d(1, 1, 3, padding=1)


def batch(targets):
    return Batch(["a", "b"], torch.rand(2, 1, 5, 6), targets, 0, 2)


@pytest.mark.parametrize("boundary", ["mask", "exact"])
def test_the_output_is_the_solution_and_the_loss_that_of_the_equation(boundary):
    equation, one = Poisson2D(boundary=boundary), batch(torch.ones(2, 1, 5, 6))
    loss, solution = Solving(equation).forward(NETWORK, one, alone)
    output = NETWORK(one.inputs)
    assert torch.equal(loss, equation(output, one.targets))
    assert torch.equal(solution, equation.solution(output))


def test_solutions_need_no_target():
    loss, solution = Solving(Poisson2D(boundary="exact")).forward(NETWORK, batch(None), alone)
    assert loss is None
    assert (solution[:, :, 0] == 1).all()


def test_without_an_equation_the_output_stays():
    one = batch(None)
    loss, output = Solving(None).forward(NETWORK, one, alone)
    assert loss is None
    assert torch.equal(output, NETWORK(one.inputs))


def test_penalties_of_the_network_count():
    equation, one = Poisson2D(), batch(torch.ones(2, 1, 5, 6))
    plain, _ = Solving(equation).forward(NETWORK, one, alone)
    more, _ = Solving(equation, penalty=lambda: torch.tensor(2.5)).forward(NETWORK, one, alone)
    assert (more - plain).item() == pytest.approx(2.5)


def test_an_equation_has_no_accuracy():
    assert Solving(Poisson2D()).metric is None
