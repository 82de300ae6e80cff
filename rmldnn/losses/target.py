"""Targets in the shape that a loss needs, or an error that names both shapes and the remedy.

A target is either class indices, shape (n, *spatial) without the class axis, or dense, with the very shape of the
output. It may still lie on the host when the output is on an accelerator: its values are judged there, where looking
at them does not make the accelerator wait, and it is moved afterwards.
"""

from __future__ import annotations

import torch
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
    if not target.is_cuda and target.numel() and not (target - nearest).abs_().max() <= _BESIDE:
        fraction = target[~torch.isclose(target, nearest, rtol=0, atol=_BESIDE)][0]
        raise _wrong(
            f"{loss} takes class indices 0, 1, 2, ..., but the target holds fractions such as {fraction:.4g}; masks "
            "are read as pixel / 255: get the pixels' values back by "
            '`"target_transforms": [{"normalize": {"std": 0.003921568}}]` in `data`, keep geometric transforms from '
            'blending them by `"target_is_mask": true`, or take a loss for continuous targets (MSE, BCE)'
        )
    return nearest.long()


def indices_on_device(output: Tensor, target: Tensor, loss: str, ignore_index: int | None = None) -> Tensor:
    """Class indices as by `class_indices`, checked where that costs no waiting, on the output's device."""
    indices = class_indices(output, target, loss)
    if not indices.is_cuda:
        check_range(indices, output.shape[1], loss, ignore_index)
    return moved(indices, output.device)


def moved(target: Tensor, device: torch.device) -> Tensor:
    """A target whose values were judged, on a device, which reads it by itself and for which nobody waits."""
    if target.device == device:
        return target
    return (target.pin_memory() if device.type == "cuda" else target).to(device, non_blocking=True)


def check_range(target: Tensor, classes: int, loss: str, ignore_index: int | None = None) -> None:
    """Checks on the host that class indices lie below the number of outputs.

    Raises:
        ConfigError: Some index is negative or too large.
    """
    if target.numel() == 0:
        return
    low, high = target.aminmax()
    if low >= 0 and high < classes:
        return
    wrong = (target < 0) | (target >= classes)
    if ignore_index is not None:
        wrong &= target != ignore_index
    if wrong.any():
        raise out_of_range(int(target[wrong][0]), classes, loss, target)


def out_of_range(index: int, classes: int, loss: str, target: Tensor) -> ConfigError:
    """The error of a class index that the network has no output for.

    Args:
        index: The index.
        classes: How many outputs there are.
        loss: Name of the loss.
        target: All indices of the batch, on the host. Where they are as few as the classes, they may be values of
            pixels that stand for classes, such as 0 and 255.
    """
    found: list[int] = torch.unique(target).tolist()
    stand_for_classes = found[0] >= 0 and (len(found) == classes or min(filter(None, found)) >= classes)
    values = ""
    if stand_for_classes and len(found) <= classes and found != list(range(len(found))):
        values = f'list the values of masks in the order of the classes, `"values": {found}` in `data`, '
    return _wrong(
        f"{loss}: the target holds class index {index}, but the network has {classes} output"
        f"{'s' if classes != 1 else ''} (classes 0 to {classes - 1}); {values}give its last layer one output for each"
        " class of the data, or name an index that means `no class` as `loss.ignore_index`; `rmldnn data` shows which "
        "file holds it"
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
    return moved(target, output.device).to(output)


def _one_hot(output: Tensor, target: Tensor, loss: str) -> Tensor:
    one_channel = target.ndim == output.ndim and target.shape[1] == 1
    if not one_channel and (target.ndim != output.ndim - 1 or target.is_floating_point()):
        raise mismatch(output, target, loss, "a target of the same shape")
    return _members(output, indices_on_device(output, target, loss))


def _members(output: Tensor, indices: Tensor) -> Tensor:
    """Which class each place belongs to, bool of the output's shape: a quarter of the memory of floats."""
    classes = torch.arange(output.shape[1], device=indices.device)
    return indices.unsqueeze(1) == classes.view(-1, *[1] * (output.ndim - 2))


def is_dense(output: Tensor, target: Tensor) -> bool:
    """Whether a target of exclusive classes holds their probabilities, not indices."""
    return target.is_floating_point() and target.shape == output.shape and output.shape[1] > 1


def sets(output: Tensor, target: Tensor, loss: str, ignore_index: int | None = None) -> tuple[Tensor, Tensor | None]:
    """A target as a set of places for each channel, and the places that count.

    Args:
        output: Network output, shape (n, channels, *spatial).
        target: Class indices (n, *spatial) or (n, 1, *spatial), 0 and 1 for one channel; or of the output's shape: how
            much each place belongs to each channel, from 0 to 1.
        loss: Name of the loss, for messages.
        ignore_index: Class index of places that count for nothing.

    Returns:
        How much each place belongs to each channel, shape of the output: bool for class indices of several channels,
        else the output's type. And the places that count, bool (n, 1, *spatial); None if all do.

    Raises:
        ConfigError: The shapes do not fit, a class index has no output, a value is not from 0 to 1, or `ignore_index`
            meets several channels without indices.
    """
    several = output.shape[1] > 1
    if several and target.shape != output.shape:
        if target.ndim != output.ndim - 1 and target.shape[1:2] != (1,):
            raise mismatch(output, target, loss, "class indices, or a target of the same shape")
        indices = indices_on_device(output, target, loss, ignore_index)
        members = _members(output, indices)
        if ignore_index is None:
            return members, None
        counted = (indices != ignore_index).unsqueeze(1)
        return members & counted, counted
    if ignore_index is None:
        return dense(output, _shares(target, loss), loss), None
    if several:
        raise no_class_to_ignore()
    counted = (target.round() if target.is_floating_point() else target) != ignore_index
    members = dense(output, _shares(target.where(counted, 0), loss), loss)
    return members, moved(counted.view(members.shape), output.device)


def _shares(target: Tensor, loss: str) -> Tensor:
    if not target.is_cuda and target.numel():
        low, high = target.aminmax()
        if low < -_BESIDE or high > 1 + _BESIDE:
            raise _wrong(
                f"{loss} takes targets from 0 to 1 for a network of one output, and for targets of the output's shape, "
                f"but the target holds {float(low if low < -_BESIDE else high):.4g}; list the values of masks in the "
                'order of the classes, such as `"values": [0, 255]` in `data`, scale it to that range, give the '
                "network one output for each class, or name a value that means `no class` as `loss.ignore_index`"
            )
    return target


def no_class_to_ignore() -> ConfigError:
    """The error of `ignore_index` where targets hold no class indices."""
    return ConfigError(
        Problem(
            "loss.ignore_index",
            "has no meaning where targets are probabilities of classes, as `mixup` and `cutmix` make them of labels; "
            "remove it, or give that class the weight 0 by `loss.weight`",
        )
    )


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
