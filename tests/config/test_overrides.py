"""Values in Hydra's grammar."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from rmldnn.config.overrides import sayable, spelt, values

TEXTS = some.text(some.sampled_from("ab\\'\"\n\t ,:{}[]()=$1é"), max_size=6)
PLAIN = some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | TEXTS
WORDS = some.text(some.sampled_from("ab_.:/, ()\\"), max_size=5).map("k{}k".format)
ANYTHING = some.recursive(
    PLAIN, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(WORDS, inner, max_size=3)
)


@given(ANYTHING)
@example("\\\n")
def test_what_is_spelt_is_read_as_the_same_value(value):
    assert values([f"x={spelt(value)}"]) == {"x": value}
    assert sayable(value)


@pytest.mark.parametrize("key", ["1", "null", "true", "it's", ""])
def test_some_keys_cannot_be_said(key):
    assert not sayable([{key: 1}])
