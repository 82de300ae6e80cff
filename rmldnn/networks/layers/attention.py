"""Attention layers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from rmldnn.component import component
from rmldnn.errors import NetworkError
from rmldnn.networks.attention import AdditiveAttention, DotAttention, MultiHeadAttention, asked
from rmldnn.networks.calls import bound, slots
from rmldnn.networks.graph import Arguments
from rmldnn.networks.initializers import initialized
from rmldnn.networks.layer import Layer, Shape, Shapes, Step
from rmldnn.networks.layout import size
from rmldnn.networks.variable import Variable
from rmldnn.types import Count, Fraction

_ROLES = ("query", "value", "key")
_OPTIONS = ("use_causal_mask", "return_attention_scores")
_DENSE = ("query", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask", *_OPTIONS)
_DENSE_2 = ("query", "value", "key", "attention_mask", "return_attention_scores", "training", "use_causal_mask")


@component("MultiHeadAttention")
def multi_head_attention(
    shapes: Shapes,
    arguments: Arguments,
    keras: int,
    *,
    num_heads: Count,
    key_dim: Count,
    value_dim: Count | None = None,
    dropout: Fraction = 0.0,
    use_bias: bool = True,
    use_gate: bool = False,
    output_shape: Count | list[Count] | None = None,
    attention_axes: int | list[int] | None = None,
    sliding_window: Count | None = None,
    flash_attention: bool | None = None,  # noqa: ARG001
    kernel_initializer: str | dict[str, Any] = "glorot_uniform",
    bias_initializer: str | dict[str, Any] = "zeros",
    query_shape: list[int | None] | None = None,  # noqa: ARG001
    key_shape: list[int | None] | None = None,  # noqa: ARG001
    value_shape: list[int | None] | None = None,  # noqa: ARG001
    softmax_robust_masking: bool = False,  # noqa: ARG001
) -> Layer:
    """Attention of several heads.

    Args:
        shapes: Keras shapes of the tensors of the call.
        arguments: Which of them are `query`, `value`, `key` and `attention_mask`, and what else is asked for.
        keras: The generation of Keras that wrote the file.
        num_heads: Number of heads.
        key_dim: Channels of a head for queries and keys.
        value_dim: Channels of a head for values; `key_dim` if not given.
        dropout: Share of what is seen that is dropped in training.
        use_bias: Whether vectors are added.
        use_gate: Whether queries close and open what was seen.
        output_shape: Shape of the result at each place; the channels of the queries if not given.
        attention_axes: Keras axes along which queries look; all but batch and channels if not given.
        sliding_window: How far a query sees, its own place included; anywhere if not given.
        flash_attention: How Keras computes it.
        kernel_initializer: Initial weights.
        bias_initializer: Initial biases.
        query_shape: What Keras 2 remembers.
        key_shape: The same.
        value_shape: The same.
        softmax_robust_masking: How Keras computes it.
    """
    call = _Call(shapes, arguments, _DENSE if keras == 3 else _DENSE_2)
    rank = len(call.query) + 1
    written = [attention_axes] if isinstance(attention_axes, int) else attention_axes
    axes = tuple(_axis(axis, rank) for axis in written) if written else tuple(range(1, rank - 1))
    output = [output_shape] if isinstance(output_shape, int) else output_shape
    return _heads(
        call, keras, num_heads, num_heads, (key_dim, value_dim or key_dim), tuple(output or call.query[-1:]), axes,
        use_bias, use_gate, sliding_window, dropout, kernel_initializer, bias_initializer, prefix="",
    )  # fmt: skip


@component("GroupQueryAttention")
def group_query_attention(
    shapes: Shapes,
    arguments: Arguments,
    keras: int,
    *,
    head_dim: Count,
    num_query_heads: Count,
    num_key_value_heads: Count,
    dropout: Fraction = 0.0,
    use_bias: bool = True,
    use_gate: bool = False,
    sliding_window: Count | None = None,
    flash_attention: bool | None = None,  # noqa: ARG001
    kernel_initializer: str | dict[str, Any] = "glorot_uniform",
    bias_initializer: str | dict[str, Any] = "zeros",
) -> Layer:
    """Attention of several heads of `head_dim` channels that share keys and values.

    `num_key_value_heads` divides `num_query_heads`. Other keys as in `multi_head_attention`.
    """
    if num_query_heads % num_key_value_heads:
        raise NetworkError(
            f"`num_query_heads` {num_query_heads} must be a multiple of `num_key_value_heads` {num_key_value_heads}"
        )
    call = _Call(shapes, arguments, _DENSE)
    if len(call.query) != 2:
        raise NetworkError(f"needs sequences with one axis of places, got an input of {size(call.query)}")
    return _heads(
        call, keras, num_query_heads, num_key_value_heads, (head_dim, head_dim), tuple(call.query[-1:]), (1,),
        use_bias, use_gate, sliding_window, dropout, kernel_initializer, bias_initializer, prefix="_",
    )  # fmt: skip


@component("GroupedQueryAttention")
def grouped_query_attention(
    shapes: Shapes,
    arguments: Arguments,
    keras: int,
    *,
    head_dim: Count,
    num_query_heads: Count,
    num_key_value_heads: Count,
    dropout: Fraction = 0.0,
    use_bias: bool = True,
    use_gate: bool = False,
    sliding_window: Count | None = None,
    flash_attention: bool | None = None,
    kernel_initializer: str | dict[str, Any] = "glorot_uniform",
    bias_initializer: str | dict[str, Any] = "zeros",
) -> Layer:
    """The class name of `group_query_attention` in some versions of Keras 3."""
    return group_query_attention(
        shapes, arguments, keras, head_dim=head_dim, num_query_heads=num_query_heads,
        num_key_value_heads=num_key_value_heads, dropout=dropout, use_bias=use_bias, use_gate=use_gate,
        sliding_window=sliding_window, flash_attention=flash_attention, kernel_initializer=kernel_initializer,
        bias_initializer=bias_initializer,
    )  # fmt: skip


@component("Attention")
def attention(
    shapes: Shapes,
    arguments: Arguments,
    keras: int,
    *,
    use_scale: bool = False,
    score_mode: Literal["dot", "concat"] = "dot",
    dropout: Fraction = 0.0,
    causal: bool = False,
) -> Layer:
    """Attention of one head without matrices, by products.

    Args:
        shapes: Keras shapes of queries, values, and keys if they are others.
        arguments: How they are handed over, and what else is asked for.
        keras: The generation of Keras that wrote the file.
        use_scale: Whether scores have a trained factor.
        score_mode: `concat` for scores that are sums of bent sums, with a trained factor of their own.
        dropout: Share of what is seen that is dropped in training.
        causal: Whether a query sees nothing behind its own place, as early files say it.
    """
    names = [name for name, used in (("scale", use_scale), ("concat_score_weight", score_mode == "concat")) if used]
    variables = tuple(Variable(name, name, ()) for name in names)
    module = DotAttention(use_scale, score_mode == "concat", dropout, keras)
    return _plain(_Call(shapes, arguments, ("inputs", *_OPTIONS), causal), module, variables)


@component("AdditiveAttention")
def additive_attention(
    shapes: Shapes,
    arguments: Arguments,
    keras: int,
    *,
    use_scale: bool = True,
    dropout: Fraction = 0.0,
    causal: bool = False,
) -> Layer:
    """Attention of one head without matrices, by sums of bent sums; keys as in `attention`."""
    call = _Call(shapes, arguments, ("inputs", *_OPTIONS), causal)
    channels = call.channels("query")
    variables = [Variable("scale", "scale", (channels,), initializer="glorot_uniform")] if use_scale else []
    module = initialized(AdditiveAttention, channels if use_scale else None, dropout, keras, variables=variables)
    return _plain(call, module, tuple(variables))


class _Call:
    """A call of attention, read and checked.

    Args:
        shapes: Keras shapes of its tensors.
        arguments: How they are handed over.
        names: What the arguments are called; the first may be a list of query, value and key.
        causal: Whether the layer is causal at any call.
    """

    def __init__(self, shapes: Shapes, arguments: Arguments, names: tuple[str, ...], causal: bool = False) -> None:
        given = bound(arguments, names)
        if isinstance(given.get(names[0]), list):
            given |= dict(zip(_ROLES, given.pop(names[0]), strict=False))
        self.places = {name: next(slots(given[name]), None) for name in (*_ROLES, "attention_mask") if name in given}
        for name in ("query_mask", "value_mask", "key_mask"):
            if name in given:
                raise NetworkError(f"is called with `{name}`, which it does not take; give it an `attention_mask`")
        if None in self.places.values() or not {"query", "value"} <= set(self.places):
            raise NetworkError("must be called with a query and a value, then a key if it is another tensor")
        self.shapes: Mapping[str, Shape] = {name: shapes[place or 0] for name, place in self.places.items()}
        self.query, self.value = self.shapes["query"], self.shapes["value"]
        self.key = self.shapes.get("key", self.value)
        self.causal = causal or bool(given.get("use_causal_mask"))
        self.scores = bool(given.get("return_attention_scores"))
        if min(len(self.query), len(self.value)) < 2 or not _alike(self.key[:-1], self.value[:-1]):
            listed = ", ".join(f"{name} of {size(shape)}" for name, shape in self.shapes.items())
            raise NetworkError(f"needs sequences, and as many keys as values; got {listed}")

    def channels(self, name: str) -> int:
        """The channels of a tensor, which must be known."""
        shape = self.shapes.get(name, self.value)
        if shape[-1] is None:
            raise NetworkError(f"the channels of its {name} of {size(shape)} have no fixed number; fix them before")
        return shape[-1]

    @property
    def step(self) -> Step:
        """What makes the module's argument of the tensors."""
        places = {**self.places, "key": self.places.get("key", self.places["value"])}
        mask = places.pop("attention_mask", None)
        default = {"query": 0, "value": 1, "key": 1}
        words: dict[str, Any] = {name: place for name, place in places.items() if place != default[name]}
        words |= {} if mask is None else {"mask": mask}
        words |= {"causal": True} if self.causal else {}
        words |= {"scores": True} if self.scores else {}
        return partial(asked, **words) if words else asked


def _plain(call: _Call, module: Any, variables: tuple[Variable, ...]) -> Layer:
    """The layer of one head without matrices."""
    if len(call.query) != len(call.value) or call.channels("query") != call.channels("key"):
        raise NetworkError(
            f"compares queries of {size(call.query)} with keys of {size(call.key)}; "
            "they must have the same number of axes and of channels"
        )
    shares = ((*call.query[:-1], call.key[-2]),) if call.scores else ()
    return Layer((*call.query[:-1], call.value[-1]), (call.step, module), variables=variables, others=shares)


def _heads(
    call: _Call,
    keras: int,
    heads: int,
    shared_heads: int,
    sizes: tuple[int, int],
    output: tuple[int | None, ...],
    axes: tuple[int, ...],
    use_bias: bool,
    use_gate: bool,
    window: int | None,
    dropout: float,
    kernel: str | dict[str, Any],
    bias: str | dict[str, Any],
    prefix: str,
) -> Layer:
    """The layer of several heads."""
    if len(call.query) != len(call.value):
        raise NetworkError(f"compares queries of {size(call.query)} with keys of {size(call.key)}; Reshape one of them")
    if len(axes) > 1 and (call.causal or window):
        raise NetworkError("there is no order along several axes; give one of `attention_axes`, or no causal mask")
    channels = {name: call.channels(name) for name in _ROLES}
    key_size, value_size = sizes
    inner = [("query", heads, key_size), ("key", shared_heads, key_size), ("value", shared_heads, value_size)]
    if use_gate:
        inner.insert(2, ("gate", heads, value_size))
    variables: list[Variable] = []
    for name, count, extent in inner:
        path = "_gate_dense" if name == "gate" else f"{prefix}{name}_dense"
        into = (channels["query" if name == "gate" else name], count, extent)
        variables.append(Variable("kernel", f"{name}.weight", into, (1, 2, 0), kernel, path))
        if use_bias:
            variables.append(Variable("bias", f"{name}.bias", into[1:], initializer=bias, path=path))
    result = tuple(extent or channels["query"] for extent in output)
    out = (heads, value_size, *result)
    path = f"{prefix}output_dense"
    variables.append(Variable("kernel", "output.weight", out, (*range(2, len(out)), 0, 1), kernel, path))
    if use_bias:
        variables.append(Variable("bias", "output.bias", result, initializer=bias, path=path))
    module = initialized(
        MultiHeadAttention, (channels["query"], channels["value"], channels["key"]), heads, shared_heads, sizes, result,
        axes, use_bias, use_gate, window, dropout, keras, variables=variables,
    )  # fmt: skip
    rest = [call.query[axis - 1] for axis in range(1, len(call.query)) if axis not in axes]
    places = [shape[axis - 1] for shape in (call.query, call.value) for axis in axes]
    shares = ((*rest, heads, *places),) if call.scores else ()
    return Layer((*call.query[:-1], *result), (call.step, module), variables=tuple(variables), others=shares)


def _axis(axis: int, rank: int) -> int:
    """Keras' number of an axis with places, counted from the front."""
    if not 0 < axis % rank < rank - 1 or not -rank <= axis < rank:
        raise NetworkError(f"attention_axes {axis} is no axis of places; use 1 to {rank - 2}")
    return axis % rank


def _alike(one: Shape, other: Shape) -> bool:
    return len(one) == len(other) and all(None in pair or pair[0] == pair[1] for pair in zip(one, other, strict=True))
