"""Batch normalisation by the statistics of the whole batch, of which each process has a share.

With n_r values of a channel in process r, their mean m_r and variance v_r, n = sum n_r and f_r = n_r / n, the batch has
the mean m = sum f_r m_r and the variance sum f_r (v_r + (m_r - m)^2) (Chan et al. 1983): one exchange each way, and the
numbers of one process but for rounding.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm


class Share:
    """What the layers of a network know of this process's share of the batch.

    Args:
        twice: Gradients will be differentiated once more, which takes plain arithmetic.
    """

    def __init__(self, *, twice: bool = False) -> None:
        self.empty = False
        self.twice = twice


def synchronize(network: nn.Module, share: Share) -> bool:
    """Lets the layers of batch normalisation, in training, take the statistics of all processes; in place.

    Args:
        network: Its layers keep their names and their parameters.
        share: Of this process.

    Returns:
        Whether there are such layers.
    """
    layers = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    for layer in layers:
        layer.forward = partial(_forward, layer, type(layer).forward, share)  # type: ignore[method-assign]
    return bool(layers)


def _forward(layer: Any, alone: Any, share: Share, x: Tensor) -> Tensor:
    if not layer.training:
        return alone(layer, x)  # type: ignore[no-any-return]
    weight, bias = layer.weight, layer.bias
    if weight is None and bias is not None:  # kernels of GPUs take both or neither
        weight = torch.ones_like(bias)
    elif bias is None and weight is not None:
        bias = torch.zeros_like(weight)
    normalised = _differentiable if share.twice else _Synchronized.apply
    y, mean, variance, count = normalised(x, weight, bias, layer.eps, share.empty)
    with torch.no_grad():
        layer.num_batches_tracked.add_(1)
        if not hasattr(layer, "fused") or (layer.fused and x.dtype != torch.float64):  # without bias, as it does alone
            variance = variance * (count / (count - 1).clamp(min=1))
        layer.running_mean.lerp_(mean.to(layer.running_mean), layer.momentum)
        layer.running_var.lerp_(variance.to(layer.running_var), layer.momentum)
    return y


class _Synchronized(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, empty: bool
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        axes, channels = [0, *range(2, x.ndim)], x.shape[1]
        precise = x if x.dtype == torch.float64 else x.float()
        variance, mean = torch.var_mean(precise, axes, correction=0)
        count = 0 if empty else x.numel() // channels
        mine = torch.cat([mean, variance, mean.new_full((1,), count)])
        everyone = mine.new_empty(dist.get_world_size(), mine.numel())
        dist.all_gather(list(everyone.unbind()), mine)
        means, variances, counts = everyone[:, :channels], everyone[:, channels:-1], everyone[:, -1:]
        total = counts.sum().clamp(min=1)
        shares = counts / total
        mean = (shares * means).sum(0)
        variance = (shares * (variances + (means - mean).square())).sum(0)
        y = functional.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps)
        ctx.save_for_backward(x, weight, mean, torch.rsqrt(variance + eps), total)
        ctx.empty = empty
        ctx.mark_non_differentiable(mean, variance, total)
        return y, mean, variance, total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        x, weight, mean, scale, total = ctx.saved_tensors
        axes, row = [0, *range(2, x.ndim)], (1, -1, *(1 for _ in range(2, x.ndim)))
        centred = x - mean.view(row)
        sums = torch.stack([gradient.sum(axes, dtype=mean.dtype), (gradient * centred).sum(axes, dtype=mean.dtype)])
        for_bias, for_weight = sums[0].clone(), sums[1] * scale
        dist.all_reduce(sums)
        slope = scale if weight is None else scale * weight
        if ctx.empty:  # what went through belongs to no batch, and moved no statistics
            centred = gradient * slope.view(row)
        else:
            first, second = sums / total
            centred.mul_((-slope * scale.square() * second).view(row)).addcmul_(gradient, slope.view(row).to(x.dtype))
            centred.sub_((slope * first).view(row))
        needs = ctx.needs_input_grad
        return centred.to(x.dtype), for_weight if needs[1] else None, for_bias if needs[2] else None, None, None


class _Sum(torch.autograd.Function):
    """The sum over all processes, any number of times differentiable."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:  # noqa: ARG004 - torch's signature
        tensor = tensor.detach().clone()
        dist.all_reduce(tensor)
        return tensor

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ARG004
        return _Sum.apply(gradient.contiguous())  # type: ignore[no-any-return, no-untyped-call]


def _differentiable(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, empty: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    axes, row = [0, *range(2, x.ndim)], (1, -1, *(1 for _ in range(2, x.ndim)))
    mine = 0.0 if empty else 1.0
    total = _Sum.apply(x.new_full((), mine * (x.numel() // x.shape[1]))).clamp(min=1)  # type: ignore[no-untyped-call]
    mean = _Sum.apply(mine * x.sum(axes)) / total  # type: ignore[no-untyped-call]
    centred = x - mean.view(row)
    variance = _Sum.apply(mine * centred.square().sum(axes)) / total  # type: ignore[no-untyped-call]
    y = centred * torch.rsqrt(variance + eps).view(row)
    y = y if weight is None else y * weight.view(row)
    return y if bias is None else y + bias.view(row), mean, variance, total
