import math

import pytest
import torch

from rmldnn.errors import ConfigError
from rmldnn.losses.helmholtz import Helmholtz2D
from tests.losses.solving import grid, minimiser, orders


def inside(*extent):
    free = torch.zeros(1, *extent, dtype=torch.bool)
    free[:, 1:-1, 1:-1] = True
    return free


@pytest.mark.parametrize(("form", "wave_number"), [("energy", 0.0), ("energy", 4.0), ("strong", 4.0), ("strong", 12.0)])
def test_second_order(form, wave_number):
    loss = Helmholtz2D(wave_number=wave_number, form=form)
    errors = []
    for extent in [(9, 13), (17, 25), (33, 49)][: 3 if form == "strong" else 2]:
        x, y = grid(*extent)
        exact = torch.sin(math.pi * x) * torch.sin(2 * math.pi * y)
        source = (5 * math.pi**2 - wave_number**2) * exact
        found = minimiser(loss, source[None, None], inside(*extent))[0, 0]
        errors.append((found - exact).square().mean().sqrt().item())
    assert errors[-1] < 2e-2
    assert all(1.8 < order < 2.3 for order in orders(errors))


def test_the_least_energy_is_what_the_source_does_not_get():
    x, y = grid(33, 33)
    exact = torch.sin(math.pi * x) * torch.sin(math.pi * y)
    source = ((2 * math.pi**2 - 1) * exact)[None, None]
    loss = Helmholtz2D(wave_number=1.0)
    assert loss(exact[None, None], source).item() == pytest.approx(-(2 * math.pi**2 - 1) / 4, rel=5e-3)


def test_normalized_samples_are_in_units_of_their_source():
    field, source = torch.rand(1, 1, 5, 6).double(), torch.randn(1, 1, 5, 6).double()
    loss = Helmholtz2D(wave_number=1.0, normalize="sample")
    assert loss(1e3 * field, 1e3 * source).item() == pytest.approx(loss(field, source).item())


@pytest.mark.parametrize("form", ["energy", "strong"])
def test_a_sample_without_a_source(form):
    field, source = torch.rand(1, 1, 5, 6), torch.zeros(1, 1, 5, 6)
    assert Helmholtz2D(form=form, normalize="sample")(field, source).isfinite()


@pytest.mark.parametrize("boundary", ["mask", "exact"])
def test_the_solution_is_zero_around(boundary):
    field = Helmholtz2D(boundary=boundary).bound(torch.ones(1, 1, 5, 7), None)[0, 0]
    assert not field[0].any()
    assert not field[-1].any()
    assert not field[:, 0].any()
    assert not field[:, -1].any()
    assert field[2, 3] == 1


def test_an_energy_without_a_minimum():
    with pytest.raises(ConfigError, match=r"loss.wave_number: the energy has no minimum from 4.443 on, got 4.5"):
        Helmholtz2D(wave_number=4.5)
