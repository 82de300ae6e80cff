from functools import partial

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rmldnn.losses.combined import Combined
from rmldnn.losses.cross_entropy import cross_entropy
from rmldnn.losses.focal import focal
from rmldnn.losses.overlap import dice

DICE, FOCAL = partial(dice, source="linear"), partial(focal, source="linear", gamma=1.0)
LOSS = Combined([(0.7, DICE), (2.0, FOCAL), (0.5, cross_entropy)])


def sample(n=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    output = torch.randn(n, 3, 4, generator=generator, dtype=torch.float64)
    return output, torch.randint(0, 3, (n, 4), generator=generator)


def test_value():
    output, target = sample()
    expected = 0.7 * DICE(output, target) + 2 * FOCAL(output, target) + 0.5 * cross_entropy(output, target)
    assert LOSS(output, target).item() == pytest.approx(expected.item(), rel=1e-12)


def test_gradient():
    output, target = sample()
    assert torch.autograd.gradcheck(lambda x: LOSS(x, target), output.requires_grad_())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers(1, 6), data=st.data())
def test_split_is_harmless(assert_split_is_harmless, n, data):
    cuts = data.draw(st.lists(st.integers(0, n), max_size=4))
    assert_split_is_harmless(LOSS, *sample(n, seed=n), cuts)


def test_terms_can_be_seen():
    assert LOSS.terms[0] == (0.7, DICE)
    assert repr(LOSS).startswith("Combined([(0.7, functools.partial(")
