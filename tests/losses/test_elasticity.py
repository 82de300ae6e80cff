import math

import pytest
import torch

from rmldnn.errors import ConfigError
from rmldnn.losses.elasticity import Elasticity2D
from tests.losses.solving import grid, minimiser, orders

RATIO = 0.25


def modulus(x, y):
    return 1 + 0.5 * x * y


def displacement(place):
    """Right on both sides; written for one place, so that it can be differentiated."""
    x, y = place
    bubble = x * (1 - x)
    return torch.stack([x + bubble * torch.cos(2 * y), bubble * torch.sin(3 * y + x)])


def stress(place, plane):
    slopes = torch.func.jacrev(displacement)(place)
    strain = (slopes + slopes.T) / 2
    shear = 1 / (2 * (1 + RATIO))
    bulk = RATIO / (1 - RATIO**2) if plane == "stress" else RATIO / ((1 + RATIO) * (1 - 2 * RATIO))
    return modulus(*place) * (2 * shear * strain + bulk * strain.trace() * torch.eye(2, dtype=torch.float64))


def force(place, plane):
    """What must pull at each place."""
    return -torch.func.jacrev(lambda here: stress(here, plane))(place).diagonal(dim1=1, dim2=2).sum(1)


def work(field, plane):
    """Of the forces in the plane, and of those at its free sides; trapezoidal rule."""
    places = torch.stack(grid(*field.shape[2:]), -1)
    at = torch.func.vmap(torch.func.vmap(lambda place: force(place, plane)))(places)
    pull = torch.func.vmap(torch.func.vmap(lambda place: stress(place, plane)[:, 1]))(places)
    inside = torch.einsum("ncxy,xyc,x,y->n", field, at, *map(trapezoid, field.shape[2:]))
    sides = torch.einsum("ncx,xc,x->n", field[..., -1], pull[:, -1], trapezoid(field.shape[2]))
    return inside + sides - torch.einsum("ncx,xc,x->n", field[..., 0], pull[:, 0], trapezoid(field.shape[2]))


def trapezoid(n):
    weights = torch.ones(n, dtype=torch.float64) / (n - 1)
    weights[[0, -1]] /= 2
    return weights


@pytest.mark.parametrize("plane", ["stress", "strain"])
def test_second_order(plane):
    loss = Elasticity2D(poisson_ratio=RATIO, plane=plane)
    errors = []
    for extent in [(5, 6), (9, 11), (17, 21)]:
        x, y = grid(*extent)
        target = modulus(x, y)[None, None]

        def energy(output, target):
            return loss(output, target) - 2 * work(loss.bound(output, target), plane).mean()

        free = torch.zeros(2, *extent, dtype=torch.bool)
        free[:, 1:-1] = True
        found = loss.bound(minimiser(energy, target, free), target)[0]
        exact = torch.func.vmap(torch.func.vmap(displacement))(torch.stack([x, y], -1)).movedim(-1, 0)
        errors.append((found - exact).square().mean().sqrt().item())
    assert errors[-1] < 1e-2
    assert all(1.8 < order < 2.2 for order in orders(errors))


@pytest.mark.parametrize("plane", ["stress", "strain"])
def test_the_energy_of_a_rod(plane):
    """Which gets thinner as it likes: all stress is along x, and there the energy is E times the strain squared."""
    x, y = grid(4, 5)
    thinner = RATIO if plane == "stress" else RATIO / (1 - RATIO)
    stiffer = 1 if plane == "stress" else 1 / (1 - RATIO**2)
    field = torch.stack([x, -thinner * y])[None]
    energy = Elasticity2D(poisson_ratio=RATIO, plane=plane).cost(field, torch.full((1, 1, 4, 5), 3.0).double())
    assert energy.item() == pytest.approx(3 * stiffer, rel=1e-12)


def test_a_turn_costs_nothing():
    x, y = grid(4, 5)
    energy = Elasticity2D().cost(torch.stack([y, -x])[None], torch.ones(1, 1, 4, 5).double())
    assert energy.item() == pytest.approx(0, abs=1e-12)


def test_normalized_samples_do_not_depend_on_the_unit_of_the_modulus():
    field, target = torch.rand(1, 2, 4, 5).double(), 1 + torch.rand(1, 1, 4, 5).double()
    loss = Elasticity2D(normalize="sample")
    assert loss(field, 1e9 * target).item() == pytest.approx(loss(field, target).item())
    straight = torch.stack([grid(4, 5)[0], torch.zeros(4, 5)])[None]
    plain = Elasticity2D(normalize="sample", poisson_ratio=0.0)
    assert plain(straight, torch.full((1, 1, 4, 5), 7.0).double()).item() == pytest.approx(1)


def test_the_sides_are_held_and_moved():
    output = torch.randn(3, 2, 5, 4)
    for boundary in ("mask", "exact"):
        field = Elasticity2D(boundary=boundary).bound(output, None)
        assert (field[:, :, 0] == 0).all()
        assert (field[:, 0, -1] == 1).all()
        assert (field[:, 1, -1] == 0).all()


def test_a_ratio_of_no_material():
    with pytest.raises(ConfigError, match=r"loss.poisson_ratio: must be less than 0.5, got 0.5"):
        Elasticity2D(poisson_ratio=0.5)
    assert math.isfinite(Elasticity2D(poisson_ratio=0.49, plane="strain").bulk)
