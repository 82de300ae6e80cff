import math

import numpy as np
import pytest
import torch

from rmldnn.losses.burgers import Burgers
from tests.losses.solving import grid, orders, root


def cole_hopf(initial, nu, times, places, terms=200, nodes=4001):
    """The solution that is 0 at both ends: u = -2 nu phi_x / phi, where phi solves the heat equation.

    Args:
        initial: The function of x.
        nu: The diffusion.
        times: Of the solution.
        places: Of the solution.
        terms: Of the cosine series of phi.
        nodes: Of the integrals, by Simpson's rule.
    """
    x = np.linspace(0, 1, nodes)
    middle = (x[1:] + x[:-1]) / 2
    steps = np.diff(x) / 6 * (initial(x[:-1]) + 4 * initial(middle) + initial(x[1:]))
    phi = np.exp(-np.concatenate([[0], np.cumsum(steps)]) / (2 * nu))
    weights = np.full(nodes, 2.0)
    weights[1::2], weights[[0, -1]] = 4, 1
    k = np.arange(terms)[:, None]
    coefficients = (weights * phi * np.cos(k * np.pi * x)).sum(1) / (3 * (nodes - 1)) * np.where(k[:, 0] > 0, 2, 1)
    decayed = coefficients * np.exp(-nu * (np.pi * k[:, 0]) ** 2 * np.asarray(times)[:, None])
    values = decayed @ np.cos(k * np.pi * places)
    return 2 * nu * (decayed * np.pi * k[:, 0]) @ np.sin(k * np.pi * places) / values


def wave(x):
    return 0.5 * (1 - np.cos(2 * np.pi * x))


def solved(loss, initial, instants, start):
    """The field without a residual."""
    n = len(initial)
    free = torch.zeros(1, instants, n, dtype=torch.bool)
    free[:, 1:, 1 : n - 1 if -1 in loss.walls else n] = True
    return root(loss.residual, loss.masked(start, initial.view(1, 1, n)), free)[0]


def test_cole_hopf_itself():
    """It solves the equation, by differences over small steps."""
    x, nu, small = np.linspace(0.1, 0.9, 5), 0.05, 1e-3
    u = {(i, j): cole_hopf(wave, nu, [0.3 + i * small], x + j * small)[0] for i in (-1, 0, 1) for j in (-1, 0, 1)}
    rate, slope = (u[1, 0] - u[-1, 0]) / (2 * small), (u[0, 1] - u[0, -1]) / (2 * small)
    curvature = (u[0, 1] - 2 * u[0, 0] + u[0, -1]) / small**2
    np.testing.assert_allclose(rate + u[0, 0] * slope - nu * curvature, 0, atol=1e-4)
    np.testing.assert_allclose(cole_hopf(wave, nu, [1e-6], x)[0], wave(x), atol=1e-4)


def test_second_order():
    nu, duration = 0.1, 0.5
    loss = Burgers(diffusion_coeff=nu, duration=duration, right="zero")
    errors = []
    for n in (9, 17, 33):
        places = np.linspace(0, 1, n)
        exact = torch.tensor(cole_hopf(wave, nu, np.linspace(1e-9, duration, n), places))
        found = solved(loss, torch.tensor(wave(places)), n, exact[None])
        errors.append((found - exact).square().mean().sqrt().item())
    assert errors[-1] < 2e-3
    assert all(1.7 < order < 2.5 for order in orders(errors))


def test_an_open_end_lets_waves_out():
    """u = x / (1 + t) has no diffusion, and goes on beyond the end."""
    errors = []
    for instants in (5, 9, 17):
        t, x = grid(instants, 6)
        exact = x / (1 + t)
        errors.append((solved(Burgers(), exact[0], instants, exact[None]) - exact).abs().max().item())
    assert errors[-1] < 4e-4
    assert all(1.9 < order < 2.1 for order in orders(errors))


def test_upwind_is_of_first_order():
    errors = []
    for n in (9, 17, 33):
        t, x = grid(9, n)
        exact = x / (1 + t)
        errors.append((solved(Burgers(stencil="upwind"), exact[0], 9, exact[None]) - exact).abs().max().item())
    assert all(0.7 < order < 1.3 for order in orders(errors))


def test_upwind_fluxes_come_from_where_the_wave_comes_from():
    """Godunov's flux for a step: the shock's side, the rarefaction's 0, whichever way it runs."""
    pairs = torch.tensor([[1.0, 0.5], [0.5, 1.0], [-0.5, -1.0], [-1.0, -0.5], [-1.0, 1.0], [1.0, -2.0], [2.0, -1.0]])
    fluxes = [0.5, 0.125, 0.5, 0.125, 0.0, 2.0, 2.0]
    for (left, right), flux in zip(pairs, fluxes, strict=True):
        field = torch.stack([left, left, right, right]).view(1, 1, 4)
        rate = Burgers(stencil="upwind").rate(field)[0, 0] / 3
        assert rate[1].item() == pytest.approx(left.item() ** 2 / 2 - flux) or left < 0
        assert rate[2].item() == pytest.approx(flux - right.item() ** 2 / 2) or right < 0


def test_a_shock_moves_with_its_speed():
    """A step from 1 to 0 runs with speed 1/2: what flows in is what is there more."""
    loss = Burgers(stencil="upwind", duration=0.5)
    n = 41
    step = torch.where(torch.arange(n) < 9, 1.0, 0.0).double()
    step[0] = 0  # the wall
    field = step.expand(21, n).clone()[None]
    found = solved(loss, step, 21, field)
    assert found.max() < 1.01
    assert found.min() > -0.01
    whole = (found.sum(1) - step.sum()) / (n - 1)
    assert whole.abs().max() < 1e-3  # nothing has left, and nothing came in at the wall


def test_the_penalty_by_hand():
    output, initial = torch.rand(2, 3, 4).double(), torch.rand(2, 1, 4).double()
    residual = Burgers(diffusion_coeff=0.3).residual(output).square().mean()
    wrong = (output[:, 0] - initial[:, 0]).square().mean() + output[:, 1:, 0].square().mean()
    found = Burgers(diffusion_coeff=0.3, boundary_factor=64.0)(output, initial)
    assert found.item() == pytest.approx((residual + 64 * wrong).item())


def test_the_residual_by_hand():
    nu, duration = 0.3, 2.0
    field = torch.rand(1, 3, 5).double()
    u, h, dt = field[0], 1 / 4, duration / 2

    def rate(k, i):
        return nu * (u[k, i + 1] - 2 * u[k, i] + u[k, i - 1]) / h**2 - (u[k, i + 1] ** 2 - u[k, i - 1] ** 2) / (4 * h)

    found = Burgers(diffusion_coeff=nu, duration=duration).residual(field)[0]
    assert found.shape == (2, 4)
    for k in range(2):
        for i in range(1, 4):
            expected = (u[k + 1, i] - u[k, i]) / dt - (rate(k, i) + rate(k + 1, i)) / 2
            assert found[k, i - 1].item() == pytest.approx(expected.item())
    assert math.isfinite(found[0, 3].item())
