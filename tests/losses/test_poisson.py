import math

import numpy as np
import pytest
import scipy.sparse.linalg
import torch

from rmldnn.data.diffusivity import diffusivity, modes
from rmldnn.losses.faces import effective
from rmldnn.losses.grid import mean_square_slope
from rmldnn.losses.poisson import Poisson2D, Poisson3D
from tests.losses.fem import poisson, relative_errors, stiffness
from tests.losses.solving import grid, minimiser, orders


def coefficient(*extent, index=0):
    maps = diffusivity([modes(n, 0.5, 4) for n in extent], 0, index)
    return torch.tensor(maps, dtype=torch.float64)[None]


def between_faces(*extent):
    free = torch.zeros(1, *extent, dtype=torch.bool)
    free[:, 1:-1] = True
    return free


def loss_of(extent):
    return Poisson2D if len(extent) == 2 else Poisson3D


@pytest.mark.parametrize("extent", [(9, 7), (5, 6, 4)])
def test_energy_of_any_field(extent):
    field = torch.rand(1, 1, *extent, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    nu = coefficient(*extent)
    flat = field.numpy().reshape(-1)
    expected = flat @ (stiffness(nu[0, 0].numpy()) @ flat)
    assert mean_square_slope(field, nu).item() == pytest.approx(expected, rel=1e-12)


def test_several_channels_add_up():
    fields = torch.rand(2, 3, 5, 6, dtype=torch.float64)
    nu = coefficient(5, 6).expand(2, 1, 5, 6)
    expected = sum(mean_square_slope(fields[:, [channel]], nu) for channel in range(3))
    torch.testing.assert_close(mean_square_slope(fields, nu), expected)


@pytest.mark.parametrize("extent", [(32, 32), (9, 14), (6, 5, 7)])
@pytest.mark.parametrize("normalize", ["none", "sample"])
def test_the_minimum_is_the_solution_of_finite_elements(extent, normalize):
    nu = coefficient(*extent, index=3)
    loss = loss_of(extent)(normalize=normalize)
    found = loss.bound(minimiser(loss, nu, between_faces(*extent)), nu)[0, 0].numpy()
    solution, energy = poisson(nu[0, 0].numpy())
    assert relative_errors([found], [solution]) < 1e-9
    scale = effective(nu).item() if normalize == "sample" else 1
    assert loss(torch.tensor(found)[None, None], nu).item() * scale == pytest.approx(energy, rel=1e-10)


def test_a_constant_coefficient_has_a_straight_line():
    line = (1 - grid(6, 5)[0])[None, None]
    nu = torch.full_like(line, 2.5)
    assert Poisson2D()(line, nu).item() == pytest.approx(2.5, rel=1e-12)  # no factor of one half
    assert Poisson2D(form="strong")(line, nu).item() == pytest.approx(0, abs=1e-20)
    assert Poisson2D(normalize="sample")(line, nu).item() == pytest.approx(1, rel=1e-12)


def test_the_loss_is_the_mean_of_samples():
    fields = torch.rand(2, 1, 5, 6, dtype=torch.float64)
    nu = torch.cat([coefficient(5, 6, index=index) for index in range(2)])
    each = [Poisson2D()(fields[[index]], nu[[index]]).item() for index in range(2)]
    assert Poisson2D()(fields, nu).item() == pytest.approx(sum(each) / 2)


@pytest.mark.parametrize("normalize", [("energy", 1), ("strong", 2)])
def test_normalized_samples_do_not_depend_on_the_unit_of_the_coefficient(normalize):
    form, power = normalize
    field, nu = torch.rand(1, 1, 7, 6, dtype=torch.float64), coefficient(7, 6)
    plain, normal = Poisson2D(form=form), Poisson2D(form=form, normalize="sample")
    assert plain(field, 1000 * nu).item() == pytest.approx(1000**power * plain(field, nu).item())
    assert normal(field, 1000 * nu).item() == pytest.approx(normal(field, nu).item())


def test_the_scale_of_a_sample_is_the_energy_of_the_best_field_of_x():
    x, y = grid(2001, 3)
    nu = (1 + x) * (1 + 0.5 * (y - 0.5))
    assert effective(nu[None, None]).item() == pytest.approx(1 / math.log(2), rel=1e-6)


def harmonic(*extent):
    """A coefficient w^2 and the solution v / w, both w and v being harmonic and without slope at the sides."""
    x, *sides = grid(*extent)
    k = math.pi * math.sqrt(len(sides))
    wave = torch.stack([torch.cos(math.pi * side) for side in sides]).prod(0)
    w = 2 + torch.cosh(k * x) * wave / math.cosh(k)
    v = 2 * (1 - x) + wave * torch.sinh(k * (1 - x)) / math.sinh(k) / math.cosh(k)
    return w.square()[None, None], v / w


@pytest.mark.parametrize("form", ["energy", "strong"])
@pytest.mark.parametrize("extents", [[(9, 7), (17, 13), (33, 25)], [(7, 5, 6), (13, 9, 11)]], ids=["2-D", "3-D"])
def test_second_order(form, extents):
    errors = []
    for extent in extents:
        nu, exact = harmonic(*extent)
        loss = loss_of(extent)(form=form)
        found = loss.bound(minimiser(loss, nu, between_faces(*extent)), nu)[0, 0]
        errors.append((found - exact).square().mean().sqrt().item())
    assert errors[-1] < 1e-2
    assert all(1.7 < order < 2.3 for order in orders(errors))


@pytest.mark.parametrize("boundary", ["mask", "exact"])
def test_the_solution_has_its_values_on_both_faces(boundary):
    loss = Poisson2D(boundary=boundary)
    field = loss.bound(torch.randn(2, 1, 5, 6), None)
    assert (field[:, :, 0] == 1).all()
    assert (field[:, :, -1] == 0).all()


def test_exact_boundaries_by_the_formula():
    output = torch.rand(2, 1, 5, 6, dtype=torch.float64)
    x = grid(5, 6)[0]
    torch.testing.assert_close(Poisson2D(boundary="exact").solution(output), 1 - x + 4 * x * (1 - x) * output)


def test_a_large_penalty_gives_the_solution():
    nu = coefficient(9, 8)
    loss = Poisson2D(boundary="penalty", boundary_factor=1e7)
    found = minimiser(loss, nu, torch.ones(1, 9, 8, dtype=torch.bool))[0, 0].numpy()
    assert relative_errors([found], [poisson(nu[0, 0].numpy())[0]]) < 1e-5


def test_the_original_s_map(shared):
    nu = np.load(shared / "upstream/tutorials/neural_Poisson3D_PDE_solver/data/nu.npy")
    line = (1 - torch.linspace(0, 1, 64)).view(1, 1, -1, 1, 1).expand(1, 1, 64, 64, 64)
    assert Poisson3D()(line, torch.tensor(nu)[None]).item() == pytest.approx(1.748118, abs=2e-6)


@pytest.mark.slow
def test_the_least_energy_of_the_original_s_map(shared):
    nu = np.load(shared / "upstream/tutorials/neural_Poisson3D_PDE_solver/data/nu.npy")
    matrix = stiffness(nu[0].astype(np.float64))
    flat = np.zeros(nu.size)
    free = np.zeros(nu[0].shape, bool)
    free[1:-1] = True
    free = free.reshape(-1)
    flat[: 64 * 64] = 1
    inside = matrix[free][:, free]
    diagonal = scipy.sparse.diags(1 / inside.diagonal())
    flat[free], _ = scipy.sparse.linalg.cg(inside, -(matrix @ flat)[free], rtol=1e-8, M=diagonal)
    field = torch.tensor(flat.reshape(1, *nu.shape))
    assert Poisson3D()(field, torch.tensor(nu)[None].double()).item() == pytest.approx(1.388713, abs=1e-6)
