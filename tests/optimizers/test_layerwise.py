"""LARS, LAMB and Lion against the loops of their papers, in float64 and without any list of tensors."""

import math

import pytest
import torch

from rmldnn.optimizers.lamb import lamb
from rmldnn.optimizers.lars import lars
from rmldnn.optimizers.lion import lion

SHAPES = ((6,), (2, 3), (4,))
STEPS = 5


def start():
    values = [torch.linspace(-1, 2, math.prod(shape), dtype=torch.float64).reshape(shape) for shape in SHAPES]
    values[-1].zero_()  # a bias as it starts
    return [value.requires_grad_() for value in values]


def gradient(parameter, step, index):
    return torch.cos(parameter.detach() * (step + 1) + index)


def run(optimizer, rate=lambda step: 0.1):
    parameters = start()
    optimizer = optimizer(parameters)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = rate(step)
        for index, parameter in enumerate(parameters):
            parameter.grad = gradient(parameter, step, index)
        optimizer.step()
    return [parameter.detach().tolist() for parameter in parameters]


def flat(tensor):
    return tensor.detach().reshape(-1).tolist()


def norm(values):
    return math.sqrt(sum(value * value for value in values))


def check(updates, result):
    """Compares with `updates(w, g, step, state)`, which gives new numbers from numbers."""
    parameters = start()
    states = [{} for _ in parameters]
    for step in range(STEPS):
        for index, parameter in enumerate(parameters):
            new = updates(flat(parameter), flat(gradient(parameter, step, index)), step, states[index])
            parameter.data = torch.tensor(new, dtype=torch.float64).reshape(parameter.shape)
    torch.testing.assert_close(
        [parameter.detach() for parameter in parameters], [torch.tensor(x, dtype=torch.float64) for x in result]
    )


@pytest.mark.parametrize(("momentum", "nesterov", "decay"), [(0, False, 0), (0.8, False, 0.1), (0.8, True, 0.1)])
def test_lars_is_the_first_algorithm_of_its_paper(momentum, nesterov, decay):
    eta = 0.02

    def rate(step):
        return 0.5 / (step + 1)

    def updates(w, g, step, state):
        local = eta * norm(w) / (norm(g) + decay * norm(w)) if norm(w) else 1.0
        steps = [rate(step) * local * (gi + decay * wi) for wi, gi in zip(w, g, strict=True)]
        state["v"] = [momentum * vi + si for vi, si in zip(state.get("v", [0.0] * len(w)), steps, strict=True)]
        if nesterov:
            return [wi - si - momentum * vi for wi, si, vi in zip(w, steps, state["v"], strict=True)]
        return [wi - vi for wi, vi in zip(w, state["v"], strict=True)]

    check(
        updates,
        run(lambda p: lars(p, momentum=momentum, nesterov=nesterov, weight_decay=decay, eta=eta), rate),
    )


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("decay", [0, 0.1])
def test_lamb_is_the_second_algorithm_of_its_paper(decay, amsgrad):
    beta1, beta2, eps = 0.8, 0.9, 1e-6

    def updates(w, g, step, state):
        zeros = [0.0] * len(w)
        state["m"] = [beta1 * m + (1 - beta1) * gi for m, gi in zip(state.get("m", zeros), g, strict=True)]
        state["v"] = [beta2 * v + (1 - beta2) * gi * gi for v, gi in zip(state.get("v", zeros), g, strict=True)]
        state["top"] = [max(pair) for pair in zip(state.get("top", zeros), state["v"], strict=True)]
        squares = state["top" if amsgrad else "v"]
        one, two = 1 - beta1 ** (step + 1), 1 - beta2 ** (step + 1)
        r = [m / one / (math.sqrt(v / two) + eps) + decay * wi for m, v, wi in zip(state["m"], squares, w, strict=True)]
        ratio = norm(w) / norm(r) if norm(w) and norm(r) else 1.0
        return [wi - 0.1 * ratio * ri for wi, ri in zip(w, r, strict=True)]

    keys = {"beta1": beta1, "beta2": beta2, "eps": eps, "weight_decay": decay, "amsgrad": amsgrad}
    check(updates, run(lambda p: lamb(p, **keys)))


def test_lion_is_the_second_algorithm_of_its_paper():
    def updates(w, g, step, state):
        m = state.get("m", [0.0] * len(w))
        c = [0.8 * mi + 0.2 * gi for mi, gi in zip(m, g, strict=True)]
        state["m"] = [0.9 * mi + 0.1 * gi for mi, gi in zip(m, g, strict=True)]
        return [wi - 0.1 * (math.copysign(1, ci) + 0.3 * wi) for wi, ci in zip(w, c, strict=True)]

    check(updates, run(lambda p: lion(p, beta1=0.8, beta2=0.9, weight_decay=0.3)))


@pytest.mark.parametrize("make", [lars, lamb])
def test_a_step_of_zero_gradient_is_no_step_and_no_nan(make):
    parameter = torch.ones(3, requires_grad=True)
    parameter.grad = torch.zeros(3)
    make([parameter]).step()
    assert parameter.tolist() == [1, 1, 1]


def test_lamb_does_not_depend_on_the_scale_of_a_layer():
    small, large = torch.tensor([0.3, -0.4], requires_grad=True), torch.tensor([300.0, -400.0], requires_grad=True)
    for parameter, slope in ((small, 1.0), (large, 1e-3)):
        parameter.grad = torch.tensor([1.0, 2.0]) * slope
        lamb([parameter], eps=0.0).step()
    torch.testing.assert_close(small * 1000, large)
