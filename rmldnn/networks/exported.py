"""Keys that Keras writes into every layer and that mean nothing to the network here, unless they are set.

The one list of them. A layer whose function has such a key as a parameter keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rmldnn.component import show
from rmldnn.errors import Problem

BUILDER = ("name", "trainable", "batch_input_shape", "batch_shape", "input_shape")
"""Keys of any layer that the graph and the builder read."""


def _unset(value: Any) -> bool:
    return value is None or value is False


def _no_penalty(value: Any) -> bool:
    """Null, or an L1L2 whose factors are 0."""
    if not isinstance(value, Mapping):
        return value is None
    factors = value.get("config") or {}
    return isinstance(factors, Mapping) and not any(factors.get(key) for key in ("l1", "l2"))


def _float32(value: Any) -> bool:
    """Null, a type of 32 bits or more, or Keras 3's policy of that name."""
    if isinstance(value, Mapping):
        value = (value.get("config") or {}).get("name")
    return value in (None, "float32", "float64", "int32", "int64")


def _anything(value: Any) -> bool:  # noqa: ARG001 - one of the judges below
    return True


_REGULARIZER = (_no_penalty, "regularizers are not applied; set it to null and use the optimizer's `weight_decay`")
_CONSTRAINT = (_unset, "constraints are not applied; set it to null")

HARMLESS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "activity_regularizer": _REGULARIZER,
    "bias_regularizer": _REGULARIZER,
    "kernel_regularizer": _REGULARIZER,
    "bias_constraint": _CONSTRAINT,
    "kernel_constraint": _CONSTRAINT,
    "data_format": (
        lambda value: value in (None, "channels_last"),
        "network files are channels last; export the model with `channels_last`",
    ),
    "dtype": (_float32, "the precision is not the network's to choose; remove it"),
    "lora_alpha": (_anything, ""),
    "lora_rank": (_unset, "LoRA is not applied; merge it into the kernel before the export"),
    "noise_shape": (_unset, "only whole samples, or whole channels with SpatialDropout, are dropped; set it to null"),
    "optional": (_unset, "every input is needed; set it to false"),
    "quantization_config": (_unset, "quantized layers cannot be trained; export the model before quantizing it"),
    "ragged": (_unset, "ragged inputs are not read; set it to false"),
    "seed": (_anything, ""),
    "sparse": (_unset, "sparse inputs are not read; set it to false"),
}
"""For each key: which values change nothing, and what to do about the others."""


def judge(config: Mapping[str, Any], place: str) -> Iterator[Problem]:
    """A problem for each key of the list that is set to what would change the result."""
    for key, value in config.items():
        if key in HARMLESS:
            harmless, remedy = HARMLESS[key]
            if not harmless(value):
                yield Problem(f"{place}.{key}", f"{show(value)} would change the result: {remedy}", mild=True)
