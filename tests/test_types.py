from typing import Annotated, Any, Literal

import pytest
from annotated_types import Le, Len

from rmldnn import types
from rmldnn.component import Parameter
from rmldnn.types import describe


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (bool, "true or false"),
        (int, "an integer"),
        (types.Positive, "a number greater than 0"),
        (types.NonNegative, "a number at least 0"),
        (types.Fraction, "a number at least 0 and at most 1"),
        (types.OpenFraction, "a number at least 0 and less than 1"),
        (types.Count, "a positive integer"),
        (types.Size2D, "a list of 2 positive integers"),
        (types.Count | types.Size2D, "a positive integer or a list of 2 positive integers"),
        (list[float] | None, "a list of numbers or null"),
        (list[dict[str, Any]] | dict[str, Any], "a list of objects or an object"),
        (Literal["a", "b"], "one of `a`, `b`"),
        (types.Index | Literal["auto"], "an integer at least 0 or `auto`"),
        (Annotated[list[Annotated[int, Le(4)]], Len(3, 3)], "a list of 3 integers at most 4"),
        (list[Literal["x"]], "a list of values, each `x`"),
    ],
)
def test_words_for_a_type(annotation, words):
    assert describe(annotation) == words


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (float, [1, 0.5, -3], [True, "1", None, [1.0]]),
        (int, [1, -3], [1.0, True, "1"]),
        (bool, [True], [1, "true"]),
        (types.Count, [1], [0]),
        (types.Size2D, [[28, 28]], [[28], [28, 0], 28, [28, 28.5]]),
        (str | None, ["x", None], [3]),
        (types.Source, ["softmax"], ["relu"]),
    ],
)
def test_values_of_a_type_as_json_gives_them(annotation, good, bad):
    parameter = Parameter("x", annotation)
    assert all(map(parameter.accepts, good))
    assert not any(map(parameter.accepts, bad))
