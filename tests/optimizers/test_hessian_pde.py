"""How many gradients second-order methods and Adam need for the energy of Poisson's equation.

Adam has the best of several learning rates. A product with the Hessian counts as one gradient.
"""

import functools
import math

import pytest
import torch
from torch import nn

from rmldnn.optimizers.adam import adam
from rmldnn.optimizers.hessian import hessian


def field():
    """Values at the inner points of a square grid, with source 1 and zero around; the loss is a quadratic."""
    u = torch.zeros(15, 15, dtype=torch.float64, requires_grad=True)

    def energy():
        around = nn.functional.pad(u, (1, 1, 1, 1))
        return (around.diff(dim=0).square().sum() + around.diff(dim=1).square().sum()) / 2 - u.sum() / 16**2

    return [u], energy


def network():
    """A small network for -u'' = (pi^2) sin(pi x) + (3 pi)^2 sin(3 pi x) with zero at both ends."""
    torch.manual_seed(0)
    hidden = [nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1)]
    model = nn.Sequential(*hidden).double()
    x = ((torch.arange(64, dtype=torch.float64) + 0.5) / 64)[:, None].requires_grad_()
    waves = sum((k * math.pi) ** 2 * torch.sin(k * math.pi * x.detach()) for k in (1, 3))

    def energy():
        u = x * (1 - x) * model(x)
        (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        return (slope.square() / 2 - waves * u).mean()

    return list(model.parameters()), energy


@functools.cache
def gradients_of_adam(task, target, rates, most):
    """The fewest of all learning rates."""
    for rate in rates:
        parameters, energy = task()
        optimizer = adam(parameters, learning_rate=rate)
        for number in range(most):
            loss = energy()
            if loss.item() <= target:
                most = number
                break
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return most


def lowest(task, target_part):
    """A part of the lowest energy, which is negative, as the method itself finds it."""
    parameters, energy = task()
    hessian(parameters).step(energy)
    return target_part * energy().item()


@pytest.mark.parametrize(("method", "times"), [("lbfgs", 3), ("newton-cg", 5)])
def test_a_field_takes_far_fewer_gradients_than_with_adam(method, times):
    target = lowest(field, 1 - 1e-6)
    adams = gradients_of_adam(field, target, (3e-3, 2e-3, 1e-3, 1e-2), 1000)
    parameters, energy = field()
    hessian(parameters, method=method, max_func_eval=int(adams / times)).step(energy)
    assert energy().item() <= target


@pytest.mark.slow
@pytest.mark.parametrize(("method", "times"), [("lbfgs", 3), ("newton-cg", 1.5)])
def test_a_network_takes_far_fewer_gradients_than_with_adam(method, times):
    target = -(1 - 1e-3) * (math.pi**2 + 9 * math.pi**2) / 4  # but for a thousandth of the exact energy
    adams = gradients_of_adam(network, target, (1e-1, 6e-2, 3e-2), 1000)
    parameters, energy = network()
    hessian(parameters, method=method, max_func_eval=int(adams / times)).step(energy)
    assert energy().item() <= target
