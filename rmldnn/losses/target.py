"""Targets in the shape that a loss needs, or an error that names both shapes and the remedy.

A target is either class indices, shape (n, *spatial) without the class axis, or dense, with the very shape of the
output. It may still lie on the host when the output is on an accelerator: its values are judged there, where looking
at them does not make the accelerator wait, and it is moved afterwards.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own abbreviation
from torch import Tensor

from rmldnn.errors import ConfigError, Problem

_BESIDE = 1e-3
"""How far from an integer a class index may lie: 255 / 255 / 0.003921568 is 255.00003."""


def class_indices(output: Tensor, target: Tensor, loss: str) -> Tensor:
    """Class indices, int64 of shape (n, *spatial), where `target` still lies.

    Args:
        output: Network output, shape (n, classes, *spatial).
        target: Class indices (n, *spatial), or with one channel (n, 1, *spatial), of any type. Numbers that lie beside
            an integer, as pixels do after `normalize` by 1/255, are that integer.
        loss: Name of the loss, for messages.

    Raises:
        ConfigError: The shapes do not fit, or the values are not integers.
    """
    if target.ndim == output.ndim and target.shape[1] == 1:
        target = target.squeeze(1)
    if target.shape != output.shape[:1] + output.shape[2:]:
        raise mismatch(output, target, loss, f"class indices of shape {_shape(output.shape[:1] + output.shape[2:])}")
    if target.dtype is torch.int64:
        return target
    if not target.is_floating_point():
        return target.long()
    nearest = target.round()
    if not target.is_cuda and not torch.allclose(target, nearest, rtol=0, atol=_BESIDE):
        fraction = target[~torch.isclose(target, nearest, rtol=0, atol=_BESIDE)][0]
        raise _wrong(
            f"{loss} takes class indices 0, 1, 2, ..., but the target holds fractions such as {fraction:.4g}; masks "
            "are read as pixel / 255: get the pixels' values back by "
            '`"target_transforms": [{"normalize": {"std": 0.003921568}}]` in `data`, keep geometric transforms from '
            'blending them by `"target_is_mask": true`, or take a loss for continuous targets (MSE, BCE)'
        )
    return nearest.long()


def check_range(target: Tensor, classes: int, loss: str, ignore_index: int | None = None) -> None:
    """Checks on the host that class indices lie below the number of outputs.

    Raises:
        ConfigError: Some index is negative or too large.
    """
    if target.numel() == 0:
        return
    wrong = (target < 0) | (target >= classes)
    if ignore_index is not None:
        wrong &= target != ignore_index
    if wrong.any():
        raise out_of_range(int(target[wrong][0]), classes, loss)


def out_of_range(index: int, classes: int, loss: str) -> ConfigError:
    """The error of a class index that the network has no output for."""
    return _wrong(
        f"{loss}: the target holds class index {index}, but the network has {classes} output"
        f"{'s' if classes != 1 else ''} (classes 0 to {classes - 1}); give its last layer one output for each class"
        " of the data, or name an index that means `no class` as `loss.ignore_index`"
    )


def dense(output: Tensor, target: Tensor, loss: str) -> Tensor:
    """A target of the output's shape, type and device.

    Class indices become one-hot vectors for a network of several outputs, and the number itself (0 or 1 for two
    classes) for a network of one output.

    Args:
        output: Network output, shape (n, channels, *spatial).
        target: Dense target of the same shape, or without the channel axis.
        loss: Name of the loss, for messages.

    Raises:
        ConfigError: The shapes do not fit, or a class index has no output.
    """
    if target.shape != output.shape:
        if output.shape[1] > 1:
            target = _one_hot(output, target, loss)
        elif target.shape == output.shape[:1] + output.shape[2:]:
            target = target.unsqueeze(1)
        else:
            raise mismatch(output, target, loss, "a target of the same shape")
    return target.to(output, non_blocking=True)


def _one_hot(output: Tensor, target: Tensor, loss: str) -> Tensor:
    one_channel = target.ndim == output.ndim and target.shape[1] == 1
    if not one_channel and (target.ndim != output.ndim - 1 or target.is_floating_point()):
        raise mismatch(output, target, loss, "a target of the same shape")
    classes = output.shape[1]
    indices = class_indices(output, target, loss)
    if not indices.is_cuda:
        check_range(indices, classes, loss)
    return F.one_hot(indices, classes).movedim(-1, 1)


def mismatch(output: Tensor, target: Tensor, loss: str, needed: str) -> ConfigError:
    """The error of a target whose shape does not go with the network's output."""
    return _wrong(
        f"{loss} needs {needed} for a network output of shape {_shape(output.shape)}, "
        f"but the target has shape {_shape(target.shape)} (samples first, then channels); "
        "change the last layers of the network, the target data and its `resize`, or the loss so that they fit"
    )


def _shape(shape: torch.Size) -> str:
    return "(" + ", ".join(map(str, shape)) + ")"


def _wrong(message: str) -> ConfigError:
    return ConfigError(Problem("loss", message))
