import math

import pytest
import torch

from rmldnn.errors import ConfigError
from rmldnn.losses.heat import Heat
from tests.losses.solving import grid, minimiser, orders

KAPPA, DURATION = 0.2, 0.7


def free_of(instants, *extent, zero):
    free = torch.zeros(instants, *extent, dtype=torch.bool)
    inner = (slice(1, -1) if zero else slice(None),) * len(extent)
    free[(slice(1, None), *inner)] = True
    return free


@pytest.mark.parametrize("sides", ["zero", "insulated"])
def test_second_order(sides):
    loss = Heat(diffusion_coeff=KAPPA, duration=DURATION, sides=sides)
    wave = torch.sin if sides == "zero" else torch.cos
    errors = []
    for instants, n in [(5, 7), (9, 13), (17, 25)]:
        t, x = grid(instants, n)
        exact = wave(math.pi * x) * torch.exp(-KAPPA * math.pi**2 * DURATION * t)
        found = loss.bound(
            minimiser(loss, exact[None, :1], free_of(instants, n, zero=sides == "zero")), exact[None, :1]
        )
        errors.append((found[0] - exact).square().mean().sqrt().item())
    assert errors[-1] < 3e-3
    assert all(1.8 < order < 2.2 for order in orders(errors))


def test_in_a_square():
    loss = Heat(diffusion_coeff=KAPPA, duration=DURATION)
    errors = []
    for instants, *extent in [(5, 5, 7), (9, 9, 13)]:
        t, x, y = grid(instants, *extent)
        decay = torch.exp(-5 * KAPPA * math.pi**2 * DURATION * t)
        exact = torch.sin(math.pi * x) * torch.sin(2 * math.pi * y) * decay
        initial = exact[None, :1]
        found = loss.bound(minimiser(loss, initial, free_of(instants, *extent, zero=True)), initial)
        errors.append((found[0] - exact).square().mean().sqrt().item())
    assert 1.7 < orders(errors)[0] < 2.3


def test_instants_may_be_channels_or_an_axis():
    fields, initial = torch.rand(2, 6, 5).double(), torch.rand(2, 1, 5).double()
    assert Heat()(fields, initial) == Heat()(fields[:, None], initial)


def test_a_constant_stays_where_nothing_flows_out():
    field, initial = torch.full((1, 4, 5, 6), 3.0), torch.full((1, 1, 5, 6), 3.0)
    assert Heat(sides="insulated")(field, initial).item() == 0
    assert Heat()(field, initial).item() > 0


def test_exact_boundaries_by_the_formula():
    output, initial = torch.rand(1, 3, 4).double(), torch.rand(1, 1, 4).double()
    found = Heat(boundary="exact", duration=5.0).solution(output, initial)[0]
    assert torch.equal(found[0], initial[0, 0])
    assert not found[1:, [0, -1]].any()
    torch.testing.assert_close(found[1:, 1:-1], (initial[0] + torch.tensor([[0.5], [1.0]]) * output[0, 1:])[:, 1:-1])


def test_solutions_need_the_initial_condition():
    with pytest.raises(ConfigError, match="Heat_PDE makes solutions with exact boundaries of initial conditions"):
        Heat(boundary="exact").solution(torch.rand(1, 3, 4))


def test_one_instant_is_no_time():
    with pytest.raises(ConfigError, match="Heat_PDE needs an output of all instants, two or more"):
        Heat()(torch.rand(1, 1, 4), torch.rand(1, 1, 4))
