"""Keys that Keras writes into every layer and that mean nothing to the network here, unless they are set.

The one list of them. A layer whose function has such a key as a parameter keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rmldnn.component import show
from rmldnn.errors import Problem

_WEIGHTS = (
    *("kernel", "bias", "gamma", "beta", "alpha", "embeddings"),
    *("depthwise", "pointwise", "recurrent", "query", "key", "value", "output", "gate"),
)
"""What regularizers and constraints are for."""
BUILDER = ("name", "trainable", "batch_input_shape", "batch_shape", "input_shape")
"""Keys of any layer that the graph and the builder read."""


def _unset(value: Any) -> bool:
    return value is None or value is False


def knows(key: str) -> bool:
    """Whether a key is one of those that Keras writes into layers of every kind."""
    weight, _, what = key.rpartition("_")
    return key in BUILDER or key in HARMLESS or (weight in _WEIGHTS and what in ("regularizer", "constraint"))


def _no_penalty(value: Any) -> bool:
    """Null, or an L1L2 whose factors are 0."""
    if not isinstance(value, Mapping):
        return value is None
    factors = value.get("config") or {}
    return isinstance(factors, Mapping) and not any(factors.get(key) for key in ("l1", "l2"))


def _float32(value: Any) -> bool:
    """Null, a type of 32 bits or more, or Keras 3's policy of that name."""
    if isinstance(value, Mapping):
        config = value.get("config") or {}
        value = config.get("name") if isinstance(config, Mapping) else config
    return value in (None, "float32", "float64", "int32", "int64", "bool")


def _ordered(value: Any) -> bool:
    return value in (None, "channels_last", "channels_first")


def _anything(value: Any) -> bool:  # noqa: ARG001 - one of the judges below
    return True


@dataclass(frozen=True)
class Rule:
    """Which values of a key change nothing, and what to do about the others.

    Args:
        harmless: Judges a value.
        remedy: What to do about one that would change the result.
        mild: Whether `--lenient` may ignore it: true where the network still computes what its file says, and only
            training differs.
    """

    harmless: Callable[[Any], bool] = _anything
    remedy: str = ""
    mild: bool = False


_CONSTRAINT = Rule(_unset, "constraints are not applied; set it to null", mild=True)

HARMLESS: dict[str, Rule] = {
    "activity_regularizer": Rule(
        _no_penalty, "penalties of results are not applied; set it to null, and regularize a kernel instead", mild=True
    ),
    "data_format": Rule(_ordered, 'must be "channels_last" or "channels_first"'),
    "dtype": Rule(_float32, "the precision is not the network's to choose; remove the key", mild=True),
    "lora_alpha": Rule(),
    "lora_rank": Rule(_unset, "LoRA is not applied; merge it into the kernel before the export"),
    "noise_shape": Rule(_unset, "set it to null; SpatialDropout drops whole channels", mild=True),
    "optional": Rule(_unset, "every input is needed; set it to false"),
    "quantization_config": Rule(_unset, "quantized layers are not computed; export the model before quantizing it"),
    "ragged": Rule(_unset, "ragged inputs are not read; set it to false"),
    "seed": Rule(),
    "sparse": Rule(_unset, "sparse inputs are not read; set it to false"),
}


def judge(config: Mapping[str, Any], place: str) -> Iterator[Problem]:
    """A problem for each key of the list that is set to what would change the result.

    Args:
        config: Keys and values as the file writes them.
        place: How messages call the layer.
    """
    for key, value in config.items():
        rule = HARMLESS.get(key) or (_CONSTRAINT if key.endswith("_constraint") else None)
        if rule is not None and not rule.harmless(value):
            yield Problem(f"{place}.{key}", f"{show(value)} would change the result: {rule.remedy}", mild=rule.mild)
