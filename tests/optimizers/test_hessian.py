import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rmldnn.component import form
from rmldnn.errors import ConfigError
from rmldnn.optimizers.hessian import hessian

METHODS = ["lbfgs", "newton-cg"]
EXACT = {"absolute_tolerance": 0.0, "relative_tolerance": 0.0}


def quadratic(size, seed=0, condition=1e4):
    """A symmetric positive definite matrix, a right side and a start."""
    random = torch.Generator().manual_seed(seed)
    turn, _ = torch.linalg.qr(torch.randn(size, size, generator=random, dtype=torch.float64))
    values = torch.logspace(0, -math.log10(condition), size, dtype=torch.float64)
    side, start = torch.randn(2, size, generator=random, dtype=torch.float64)
    return turn * values @ turn.T, side, start


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def parameter(values, dtype=torch.float64):
    return torch.tensor(values, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, max_examples=30, derandomize=True)
@given(size=st.integers(2, 20), seed=st.integers(0, 10**6))
def test_a_quadratic_takes_no_more_iterations_than_it_has_dimensions(method, size, seed):
    matrix, side, start = quadratic(size, seed)
    x = start.clone().requires_grad_()
    optimizer = hessian([x], method=method, history=size, max_iterations=size, **EXACT)
    optimizer.step(lambda: x @ (matrix @ x) / 2 - side @ x)
    assert optimizer.iterations <= size
    assert (matrix @ x.detach() - side).norm() <= 1e-8 * (matrix @ start - side).norm()


@pytest.mark.parametrize("size", [10, 100])
def test_newtons_iterations_on_a_quadratic_do_not_grow_with_its_dimension(size):
    matrix, side, start = quadratic(size, condition=1e2)
    x = start.clone().requires_grad_()
    optimizer = hessian([x], method="newton-cg", absolute_tolerance=1e-10, relative_tolerance=0.0)
    optimizer.step(lambda: x @ (matrix @ x) / 2 - side @ x)
    assert optimizer.iterations <= 3
    assert (matrix @ x.detach() - side).norm() <= 1e-10


@pytest.mark.parametrize("dimension", [2, 20])
@pytest.mark.parametrize("method", METHODS)
def test_a_curved_valley_is_followed_to_its_end(method, dimension):
    x = parameter([-1.2, 1.0] * (dimension // 2))
    optimizer = hessian([x], method=method)
    optimizer.step(lambda: rosenbrock(x))
    torch.testing.assert_close(x, torch.ones_like(x), rtol=0, atol=1e-6)
    assert optimizer.iterations < 60 * (1 + dimension // 10)


@pytest.mark.parametrize("method", METHODS)
def test_it_leaves_a_saddle_downwards(method):
    x = parameter([1.0, 1e-6])
    hessian([x], method=method).step(lambda: x[0] ** 2 - x[1] ** 2 + x[1] ** 4 / 4)
    torch.testing.assert_close(
        x.detach().abs(), torch.tensor([0.0, math.sqrt(2)], dtype=torch.float64), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_place_where_the_loss_is_not_finite_is_never_kept(method):
    x = parameter([5.0, 3.0])
    kept = []

    def closure():
        loss = (x - torch.log(x)).sum()  # nan below zero
        kept.append(float(loss.detach()))
        return loss

    optimizer = hessian([x], method=method, learning_rate=100.0)
    before = optimizer.step(closure)
    assert any(not math.isfinite(value) for value in kept)
    assert float(closure().detach()) < before
    (slope,) = torch.autograd.grad(closure(), [x])
    assert slope.norm() < 1e-7


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nothing_moves_where_the_loss_is_not_finite_at_once(method, value):
    x = parameter([1.0, 2.0])
    hessian([x], method=method).step(lambda: x.sum() * value)
    assert x.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("method", METHODS)
def test_evaluations_keep_to_their_limit_and_the_loss_never_rises(method, limit):
    x = parameter([-1.2, 1.0, -1.2, 1.0])
    calls = []

    def closure():
        calls.append(1)
        return rosenbrock(x)

    optimizer = hessian([x], method=method, max_func_eval=limit)
    before = optimizer.step(closure)
    assert len(calls) == optimizer.evaluations
    assert optimizer.evaluations + optimizer.products <= limit
    assert rosenbrock(x).item() <= before


@pytest.mark.parametrize("method", METHODS)
def test_iterations_keep_to_their_limit(method):
    x = parameter([-1.2, 1.0])
    optimizer = hessian([x], method=method, max_iterations=3)
    optimizer.step(lambda: rosenbrock(x))
    assert optimizer.iterations == 3


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_is_done_when_its_gradient_is_small_absolutely_or_relatively(method):
    for keys, limit in (
        ({"absolute_tolerance": 1e-3, "relative_tolerance": 0.0}, lambda loss: 1e-3),
        ({"absolute_tolerance": 0.0, "relative_tolerance": 1e-2}, lambda loss: 1e-2 * abs(loss)),
    ):
        x = parameter([-1.2, 1.0])
        optimizer = hessian([x], method=method, **keys)
        optimizer.step(lambda x=x: 1 + rosenbrock(x))
        (slope,) = torch.autograd.grad(1 + rosenbrock(x), [x])
        assert slope.norm() <= limit(1 + rosenbrock(x).item())
        count = optimizer.iterations
        optimizer.step(lambda x=x: 1 + rosenbrock(x))
        assert optimizer.iterations == count


@pytest.mark.parametrize("method", METHODS)
def test_saved_and_loaded_it_goes_on_identically(method):
    def descend(interrupted):
        x = parameter([-1.2, 1.0, 0.5, 2.0])
        optimizer = hessian([x], method=method, max_iterations=4)
        for number in range(6):
            if interrupted and number == 3:
                state = copy.deepcopy(optimizer.state_dict())
                optimizer = hessian([x], method=method, max_iterations=4)
                optimizer.load_state_dict(state)
            optimizer.step(lambda: rosenbrock(x))
        return x.tolist()

    assert descend(interrupted=True) == descend(interrupted=False)


@pytest.mark.parametrize("method", METHODS)
def test_processes_whose_parts_are_added_descend_as_one(method):
    matrix, side, start = quadratic(6)
    whole = start.clone().requires_grad_()
    hessian([whole], method=method).step(lambda: whole @ (matrix @ whole) / 2 - side @ whole)
    x = start.clone().requires_grad_()
    optimizer = hessian([x], method=method)
    optimizer.reduce = lambda vector: 4 * vector  # of four processes with equal shares
    # the value is that of all, the gradient that of a quarter
    scaled = lambda loss: loss / 4 + (loss - loss / 4).detach()  # noqa: E731
    optimizer.step(lambda: scaled(x @ (matrix @ x) / 2 - side @ x))
    torch.testing.assert_close(x, whole)


@pytest.mark.parametrize("method", METHODS)
def test_it_returns_the_loss_before_the_step_and_tells_the_gradients_norm(method):
    x = parameter([3.0, 4.0])
    optimizer = hessian([x], method=method)
    assert float(optimizer.step(lambda: x @ x / 2)) == 12.5
    assert float(optimizer.grad_norm) == 5.0
    assert optimizer.needs_closure
    assert x.grad is None


@pytest.mark.parametrize("method", METHODS)
def test_parameters_may_be_several_unused_and_of_any_layout(method):
    weight = parameter([[1.0, -2.0, 3.0], [0.5, 2.0, 1.0]]).detach().T.requires_grad_()
    idle, scale = parameter([7.0]), parameter(2.0)
    optimizer = hessian([weight, idle, scale], method=method)
    optimizer.step(lambda: ((weight - 1) ** 2).sum() + (scale * weight.mean() - 3) ** 2)
    torch.testing.assert_close(weight, torch.ones_like(weight), rtol=0, atol=1e-6)
    torch.testing.assert_close([idle.item(), scale.item()], [7.0, 3.0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_single_precision_comes_as_near_as_it_can(method):
    x = parameter([-1.2, 1.0], torch.float32)
    optimizer = hessian([x], method=method)
    optimizer.step(lambda: 1 + rosenbrock(x))
    torch.testing.assert_close(x, torch.ones(2), rtol=0, atol=2e-3)
    assert optimizer.evaluations + optimizer.products < 400


@pytest.mark.parametrize("method", METHODS)
def test_mini_batches_of_a_regression_are_learned(method):
    torch.manual_seed(0)
    inputs = torch.randn(128, 4, dtype=torch.float64)
    targets = torch.tanh(inputs @ torch.randn(4, 1, dtype=torch.float64))
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)).double()
    optimizer = hessian(network.parameters(), method=method, max_iterations=5)
    for _ in range(10):
        for batch in torch.randperm(128).split(32):
            optimizer.step(lambda batch=batch: torch.nn.functional.mse_loss(network(inputs[batch]), targets[batch]))
    assert torch.nn.functional.mse_loss(network(inputs), targets) < 1e-3


def test_a_layer_without_second_derivative_is_named_as_the_reason():
    torch.manual_seed(0)
    x = torch.randn(1, 1, 4, 8, requires_grad=True)

    def closure():  # torch differentiates its fast attention once
        return torch.nn.functional.scaled_dot_product_attention(x, x, x).square().sum()

    with pytest.raises(ConfigError, match=r"optimizer.method: `newton-cg` needs second derivatives.*use `lbfgs`"):
        hessian([x], method="newton-cg").step(closure)
    before = hessian([x]).step(closure)
    assert closure().item() < 1e-3 * before


def test_a_linear_loss_does_not_run_away_from_newton():
    x = parameter([1.0, 2.0])
    hessian([x], method="newton-cg", max_iterations=3).step(lambda: x.sum())
    assert torch.isfinite(x).all() and x.sum() < 3


def test_methods_are_those_of_the_form():
    (problem,) = form(hessian).check({"method": "bfgs"}, "optimizer")
    assert str(problem) == 'optimizer.method: must be one of `lbfgs`, `newton-cg`, got "bfgs"'
