"""Small networks as lists of layers, for samples that no family is made for: rows of a table, signals, volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rmldnn.config.keys import Values

_WIDTH = 64
_LEAST = 4
"""Extents are halved while none becomes smaller."""


def dense(shape: Sequence[int], outputs: int, activation: str) -> list[Values]:
    """Two hidden layers for rows of numbers; the first layer brings columns to one size, whatever their units."""
    first = _layer("BatchNormalization", "columns", momentum=0.9, batch_input_shape=[None, *shape])
    hidden = [_layer("Dense", f"hidden{number}", units=_WIDTH, activation="relu") for number in (1, 2)]
    return [first, *hidden, _layer("Dense", "result", units=outputs, activation=activation)]


def convolutions(shape: Sequence[int], outputs: int, activation: str) -> list[Values]:
    """Convolutions and pooling in turn, and the mean over what is left, for signals and volumes.

    Args:
        shape: Extents and channels of a sample.
        outputs: Units of the last layer.
        activation: Of the last layer.
    """
    extents = list(shape[:-1])
    axes = len(extents)
    layers: list[Values] = []
    for number, filters in enumerate((16, 32, 64, 128), start=1):
        first = {"batch_input_shape": [None, *shape]} if number == 1 else {}
        keys = {"filters": filters, "kernel_size": 3, "padding": "same", "activation": "relu", **first}
        layers.append(_layer(f"Conv{axes}D", f"conv{number}", **keys))
        layers.append(_layer("BatchNormalization", f"norm{number}", momentum=0.9))
        extents = [extent // 2 for extent in extents]
        if min(extents) < _LEAST:
            break
        layers.append(_layer(f"MaxPooling{axes}D", f"pool{number}", pool_size=2))
    layers.append(_layer(f"GlobalAveragePooling{axes}D", "mean"))
    return [*layers, _layer("Dense", "result", units=outputs, activation=activation)]


def _layer(kind: str, name: str, **keys: Any) -> Values:
    return {"class_name": kind, "config": {"name": name, **keys}}
