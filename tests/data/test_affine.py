import torch
from hypothesis import given
from hypothesis import strategies as st

from rmldnn.data.affine import Affine

floats = st.floats(-10, 10)
triples = st.one_of(st.tuples(floats), st.tuples(floats, floats, floats))
maps = st.builds(Affine, triples, triples)
VALUES = torch.linspace(-1, 1, 24, dtype=torch.float32).reshape(2, 3, 2, 2)


@given(maps, maps)
def test_maps_can_be_joined(first, second):
    apart = second(first(VALUES.clone()))
    torch.testing.assert_close(second.after(first)(VALUES.clone()), apart, rtol=1e-4, atol=1e-4)


def test_integers_become_floats():
    assert Affine()(torch.ones(1, 1, 2, 2, dtype=torch.uint8)).dtype == torch.float32


def test_the_memory_format_is_kept():
    values = torch.ones(2, 3, 4, 4, dtype=torch.uint8).to(memory_format=torch.channels_last)
    assert Affine((1.0, 2.0, 3.0), (0.5,))(values).is_contiguous(memory_format=torch.channels_last)
