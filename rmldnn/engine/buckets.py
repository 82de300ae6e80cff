"""Gradients summed over all processes while the backward pass computes others, as torch's DDP does (Li et al. 2020).

Parameters are put into buckets from the last one to the first, about the order in which their gradients come. When
those of a bucket are there, they are copied into its memory and sent. What is in a bucket, and which bucket follows
which, never changes: so all processes agree, and a sum has the same bits in every run, also in one that goes on from a
state. Gradients stay in the buckets, where the optimizer reads them; nothing is copied back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

FIRST = 262_144
"""Numbers of the first bucket, 1 MiB: the sooner it is full, the sooner the network has something to do."""
_ALIGNED = 32
"""Gradients begin at multiples of so many numbers, as kernels that read several at once want them to."""


class Buckets:
    """The gradients of a network, which every process has whole.

    Args:
        parameters: Of the network, in its order; the same in all processes. Those that do not learn are left out.
        limit: Numbers that a bucket holds before it is sent.
        group: The processes; all of them by default. One that nobody else uses lets other exchanges go past buckets.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], limit: int, group: dist.ProcessGroup | None = None) -> None:
        learning = [each for each in parameters if each.requires_grad and each.numel()]
        self._buckets = [_Bucket(each) for each in divided(learning, limit)]
        self._group = group
        self._world = dist.get_world_size(group)
        self._turn = self._buckets  # those that are sent
        self._works: list[Any] | None = None  # of the buckets that are under way; None outside of a pass
        for bucket in self._buckets:
            for parameter in bucket.parameters:
                parameter.register_post_accumulate_grad_hook(partial(self._arrived, bucket))  # type: ignore[no-untyped-call]

    @contextmanager
    def summing(self) -> Iterator[None]:
        """Around a backward pass, behind which every gradient is the mean over all processes; all of them call it.

        A parameter without a gradient in this process counts as zero, and has one afterwards. No GPU is waited for.
        Those that require none for now, in all processes, have none; buckets of nothing else are not sent.
        """
        for bucket in self._buckets:
            bucket.missing = sum(parameter.requires_grad for parameter in bucket.parameters)
        self._turn = [bucket for bucket in self._buckets if bucket.missing]
        self._works = []
        yield
        for bucket in self._turn[len(self._works) :]:
            self._works.append(bucket.send(self._group))
        for bucket, work in zip(self._turn, self._works, strict=True):
            work.wait()
            bucket.numbers.div_(self._world)
        self._works = None

    def _arrived(self, bucket: _Bucket, _: Tensor) -> None:
        if self._works is None:  # not the last batch of an update
            return
        if not bucket.missing:
            raise RuntimeError("a gradient came twice in one backward pass, once of it after it was sent")
        bucket.missing -= 1
        for full in self._turn[len(self._works) :]:  # always in the same order
            if full.missing:
                break
            self._works.append(full.send(self._group))


class _Bucket:
    """Gradients that are sent together; see `Buckets`."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        self.parameters = parameters
        self.missing = 0
        sizes = [-(-each.numel() // _ALIGNED) * _ALIGNED for each in parameters]
        self.numbers = torch.zeros(sum(sizes), dtype=parameters[0].dtype, device=parameters[0].device)
        self._gradients = [
            # laid out as the parameter is, say channels last, since its gradient is too
            piece.as_strided(each.shape, torch.empty_like(each, device="meta").stride())
            for piece, each in zip(torch.split(self.numbers, sizes), parameters, strict=True)
        ]

    def send(self, group: dist.ProcessGroup | None) -> Any:
        """Takes the gradients in, and begins to sum them up."""
        pairs = list(zip(self._gradients, self.parameters, strict=True))
        there = [(mine, parameter.grad) for mine, parameter in pairs if parameter.grad is not None]
        if there:
            torch._foreach_copy_([mine for mine, _ in there], [theirs for _, theirs in there])
        for mine, parameter in pairs:
            if parameter.grad is None:
                mine.zero_()
            if parameter.requires_grad:
                parameter.grad = mine
        return dist.all_reduce(self.numbers, group=group, async_op=True)


def divided(parameters: Iterable[nn.Parameter], limit: int) -> list[list[nn.Parameter]]:
    """Parameters from the last to the first, bucket by bucket; each bucket has numbers of one type on one device.

    Args:
        parameters: In the order of the network.
        limit: Numbers at which a bucket is full; the first one is at `FIRST`, if that is less.
    """
    result: list[list[nn.Parameter]] = []
    held, full, kind = 0, min(FIRST, limit), None
    for parameter in reversed(list(parameters)):
        if not result or held >= full or (parameter.dtype, parameter.device) != kind:
            full = limit if result else full
            result.append([])
            held, kind = 0, (parameter.dtype, parameter.device)
        result[-1].append(parameter)
        held += parameter.numel()
    return result
