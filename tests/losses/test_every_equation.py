"""Laws of every differential equation, whatever it is."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rmldnn.config import catalog
from rmldnn.errors import ConfigError
from rmldnn.losses.burgers import Burgers
from rmldnn.losses.elasticity import Elasticity2D
from rmldnn.losses.equation import Equation
from rmldnn.losses.heat import Heat
from rmldnn.losses.helmholtz import Helmholtz2D
from rmldnn.losses.poisson import Poisson2D, Poisson3D

PLANE, SPACE, LINE = (1, 5, 4), (1, 4, 3, 5), (1, 4, 5)
KINDS = [
    *((Poisson2D, PLANE, {"form": form, "normalize": "sample"}) for form in ("energy", "strong")),
    *((Poisson3D, SPACE, {"form": form}) for form in ("energy", "strong")),
    *((Elasticity2D, (2, 5, 4), {"plane": plane}) for plane in ("stress", "strain")),
    *((Helmholtz2D, PLANE, {"wave_number": 2.0, "form": form}) for form in ("energy", "strong")),
    (Helmholtz2D, PLANE, {"normalize": "sample"}),
    *((Burgers, LINE, {"diffusion_coeff": 0.1, "right": right}) for right in ("open", "zero")),
    (Burgers, (4, 5), {"stencil": "upwind"}),
    *((Heat, LINE, {"sides": sides}) for sides in ("zero", "insulated")),
    (Heat, (3, 4, 5), {"duration": 0.1}),
]
CASES = [
    (kind, shape, {**keys, "boundary": boundary})
    for kind, shape, keys in KINDS
    for boundary in ("mask", "penalty", "exact")
]
every_equation = pytest.mark.parametrize(
    ("kind", "shape", "keys"),
    CASES,
    ids=["-".join([kind.__name__, *map(str, [len(shape), *keys.values()])]) for kind, shape, keys in CASES],
)


def sample(kind, shape, n, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    output = torch.rand(n, *shape, generator=generator, dtype=torch.float64)
    space = shape[1:]
    if kind in (Burgers, Heat) and shape[0] == 1:
        space = shape[2:]
    target = 0.5 + torch.rand(n, 1, *space, generator=generator, dtype=torch.float64)
    return output.to(dtype), target.to(torch.float32 if dtype.itemsize < 4 else dtype)


def test_every_equation_is_here():
    equations = {form.load() for form in catalog.group("loss").values() if form.name.endswith("_PDE")}
    assert equations == {kind for kind, _, _ in KINDS}
    assert all(issubclass(equation, Equation) for equation in equations)


@every_equation
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers(1, 4), data=st.data())
def test_split_is_harmless(assert_split_is_harmless, kind, shape, keys, n, data):
    cuts = data.draw(st.lists(st.integers(0, n), max_size=3))
    assert_split_is_harmless(kind(**keys), *sample(kind, shape, n, seed=n), cuts)


@every_equation
def test_gradient(kind, shape, keys):
    output, target = sample(kind, shape, 2)
    loss = kind(**keys)
    assert torch.autograd.gradcheck(lambda x: loss(x, target), output.requires_grad_(), fast_mode=True)


@every_equation
def test_second_derivative(kind, shape, keys):
    output, target = sample(kind, shape, 1)
    loss = kind(**keys)
    assert torch.autograd.gradgradcheck(lambda x: loss(x, target), output.requires_grad_(), fast_mode=True)


@every_equation
def test_no_sample_anywhere_costs_nothing(kind, shape, keys):
    output, target = sample(kind, shape, 0)
    value = kind(**keys)(output.requires_grad_(), target)
    value.backward()
    assert value.item() == 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
@every_equation
def test_it_is_computed_in_32_bits(kind, shape, keys, dtype):
    output, target = sample(kind, shape, 2, dtype)
    loss = kind(**keys)
    value = loss(output, target)
    assert value.dtype is torch.float32
    assert value == loss(output.float(), target)


@every_equation
def test_autocast_changes_nothing(kind, shape, keys):
    output, target = sample(kind, shape, 2, torch.float32)
    loss = kind(**keys)
    expected = loss(output, target)
    with torch.autocast("cpu", torch.bfloat16):
        assert loss(output, target) == expected


@every_equation
def test_one_sum_over_all_processes(kind, shape, keys):
    output, target = sample(kind, shape, 2)
    shapes = []
    kind(**keys)(output, target, lambda sums: shapes.append(sums.shape) or sums)
    assert shapes == [(2,)]


@every_equation
def test_the_loss_is_that_of_the_solution(kind, shape, keys):
    """What is predicted is the field that was judged, and its boundary is right."""
    output, target = sample(kind, shape, 3)
    loss = kind(**keys)
    solution = loss.solution(output, target)
    assert solution.shape == output.shape
    if keys["boundary"] == "exact":
        expected = kind(**{**keys, "boundary": "mask"})(solution, target)
        torch.testing.assert_close(loss(output, target), expected)
        penalised = kind(**{**keys, "boundary": "penalty", "boundary_factor": 1e6})(solution, target)
        torch.testing.assert_close(penalised, expected)
    else:
        assert torch.equal(solution, output)


@pytest.mark.parametrize(("kind", "shape", "keys"), KINDS, ids=str)
def test_penalty_takes_the_place_of_the_mask(kind, shape, keys):
    """Where a field is right on the boundary, all forms agree; where it is not, the penalty counts."""
    output, target = sample(kind, shape, 2)
    target = target if kind not in (Burgers, Heat) else torch.zeros_like(target)
    field = kind(**keys, boundary="exact").solution(output, target)
    masked = kind(**keys, boundary="mask")(field, target)
    without, weighted = (kind(**keys, boundary="penalty", boundary_factor=factor) for factor in (0.0, 2.0))
    torch.testing.assert_close(weighted(field, target), masked)
    assert weighted(field + 1, target) > without(field + 1, target) + 1


@pytest.mark.parametrize(("kind", "shape", "keys"), KINDS, ids=str)
def test_other_shapes_are_named(kind, shape, keys):
    loss = kind(**keys)
    _, target = sample(kind, shape, 2)
    with pytest.raises(ConfigError, match=rf"{kind.component_name} needs an output of .* the network gives \(n, 7\)"):
        loss(torch.zeros(2, 7), target)
    output, _ = sample(kind, shape, 2)
    with pytest.raises(ConfigError, match=rf"{kind.component_name} needs .* in one channel, .* has shape \(2, 3, 9\)"):
        loss(output, torch.zeros(2, 3, 9))


@pytest.mark.parametrize(("kind", "shape"), [(Poisson2D, PLANE), (Poisson3D, SPACE), (Elasticity2D, (2, 5, 4))])
def test_coefficients_are_positive(kind, shape):
    output, target = sample(kind, shape, 1)
    with pytest.raises(ConfigError, match=r"greater than 0, but the target holds -0.25; .*`input_transforms`"):
        kind()(output, target.index_fill(2, torch.tensor(1), -0.25))


@pytest.mark.parametrize(("kind", "shape"), [(Poisson2D, (1, 5, 2)), (Helmholtz2D, (1, 2, 4)), (Heat, (1, 4, 2))])
def test_too_few_nodes(kind, shape):
    output, target = sample(kind, shape, 1)
    with pytest.raises(ConfigError, match="needs 3 or more nodes along each axis"):
        kind()(output, target)


def test_targets_without_an_axis_of_channels():
    output, target = sample(Poisson2D, PLANE, 2)
    assert Poisson2D()(output, target[:, 0]) == Poisson2D()(output, target)
