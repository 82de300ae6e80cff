"""Scaling and shifting of whole batches, folded into one multiplication and one addition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rmldnn.data import memory

if TYPE_CHECKING:
    from torch import Tensor, dtype


@dataclass(frozen=True)
class Affine:
    """The map x -> scale * x + shift, with one number for all channels or one for each.

    Args:
        scale: Factors.
        shift: Summands, applied after the factors.
    """

    scale: tuple[float, ...] = (1.0,)
    shift: tuple[float, ...] = (0.0,)

    @property
    def channels(self) -> int | None:
        """The number of channels of the values, None if any number will do."""
        count = max(len(self.scale), len(self.shift))
        return count if count > 1 else None

    def after(self, first: Affine) -> Affine:
        """The map that applies `first` and then this one."""
        scale, shift = np.array(self.scale), np.array(self.shift)
        return Affine(
            tuple((scale * first.scale).tolist()),
            tuple((scale * first.shift + shift).tolist()),
        )

    def __call__(self, values: Tensor) -> Tensor:
        """Maps a batch.

        Args:
            values: Shape (n, C, *spatial), of any number type. Changed in place if it is float32.

        Returns:
            float32, in the memory format of `values`.
        """
        import torch

        result = converted(values, torch.float32)
        if any(factor != 1 for factor in self.scale):
            result.mul_(self._operand(self.scale, result))
        if any(self.shift):
            result.add_(self._operand(self.shift, result))
        return result

    @staticmethod
    def _operand(numbers: tuple[float, ...], like: Tensor) -> Tensor | float:
        if len(numbers) == 1:
            return numbers[0]
        return like.new_tensor(numbers).view(-1, *[1] * (like.ndim - 2))


def converted(values: Tensor, kind: dtype) -> Tensor:
    """The same numbers as another type, in the memory format and on the device of `values`; see `memory.empty`."""
    import torch

    if values.dtype == kind or values.device.type != "cpu":
        return values.to(kind)
    room = memory.empty((values.numel(),), torch.empty(0, dtype=kind).numpy().dtype)
    strides = torch.empty_like(values, device="meta").stride()
    return torch.from_numpy(room).as_strided(values.shape, strides).copy_(values)
