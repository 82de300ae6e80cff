"""Attention with Keras' arithmetic; inside, tensors have Keras' order, channels last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from rmldnn.networks import draws

_BEYOND = {2: -1e9, 3: -0.7 * 3.38953e38}
"""What the generations of Keras add to a score that does not count; a query that may see nothing sees the mean."""


class Call(NamedTuple):
    """What attention is asked for.

    Args:
        query: What looks, shape (N, *targets, C).
        value: What is seen, shape (N, *sources, C).
        key: What is compared with the queries.
        mask: What each query may see, 0 for nothing, shape (N, targets, sources) or that of the scores.
        causal: Whether a query sees nothing behind its own place.
        scores: Whether the shares are wanted, too.
    """

    query: Tensor
    value: Tensor
    key: Tensor
    mask: Tensor | None = None
    causal: bool = False
    scores: bool = False


def asked(
    *tensors: Tensor,
    query: int = 0,
    value: int = 1,
    key: int = 1,
    mask: int | None = None,
    causal: bool = False,
    scores: bool = False,
) -> Call:
    """The call, from tensors with their channels first and the numbers of those that it takes."""
    moved = [x.movedim(1, -1) for x in tensors]
    return Call(moved[query], moved[value], moved[key], None if mask is None else moved[mask], causal, scores)


class Attention(nn.Module):
    """What attention of any kind does with scores.

    Args:
        dropout: Share of what is seen that is dropped in training.
        keras: The generation of Keras whose arithmetic counts.
    """

    def __init__(self, dropout: float, keras: int) -> None:
        super().__init__()
        self.dropout = dropout
        self.keras = keras

    def product(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        allowed: Tensor | None,
        causal: bool,
        scale: float | None = None,
    ) -> Tensor:
        """Attention by products, shape (N, *, T, C); with torch's fused kernels, which drop by numbers of their own."""
        if self._rate:
            scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
            return self.seen(self.shares(query * scale @ key.transpose(-2, -1), allowed, causal), value)
        bias = None
        if allowed is not None:
            bias = self._bias(allowed & _causal(query, key) if causal else allowed, query.dtype)
        return functional.scaled_dot_product_attention(
            query, key, value, bias, 0.0, causal and allowed is None, scale=scale
        )

    def shares(self, scores: Tensor, allowed: Tensor | None, causal: bool) -> Tensor:
        """How much of each source a query sees, from scores (N, *, T, S)."""
        if causal:
            mask = torch.ones_like(scores[0], dtype=torch.bool).tril()
            allowed = mask if allowed is None else allowed & mask
        return torch.softmax(scores if allowed is None else scores + self._bias(allowed, scores.dtype), -1)

    def seen(self, shares: Tensor, value: Tensor) -> Tensor:
        """The shares of the values."""
        return (draws.dropout(shares, self._rate) if self._rate else shares) @ value

    @property
    def _rate(self) -> float:
        return self.dropout if self.training else 0.0

    def _bias(self, allowed: Tensor, dtype: torch.dtype) -> Tensor:
        beyond = max(_BEYOND[self.keras], 0.7 * torch.finfo(dtype).min)
        return torch.zeros_like(allowed, dtype=dtype).masked_fill(~allowed, beyond)


def _causal(query: Tensor, key: Tensor) -> Tensor:
    return query.new_ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()


class Projection(nn.Linear):
    """A linear map that whoever holds it fills."""

    def reset_parameters(self) -> None:
        """Nothing; its numbers come from outside."""


class MultiHeadAttention(Attention):
    """Attention of several heads along some axes; Vaswani et al., 2017.

    Args:
        channels: Channels of query, value and key.
        heads: Number of heads of the queries.
        shared_heads: Number of heads of values and keys, each of which serves several of the queries.
        sizes: Channels of a head, for keys and for values.
        output: Shape of the result at each place.
        axes: Keras' numbers of the axes along which queries look; the batch is 0.
        use_bias: Whether vectors are added.
        gated: Whether the queries close and open what was seen.
        window: How far a query sees, its own place included; anywhere if None.
        dropout: Share of what is seen that is dropped in training.
        keras: The generation of Keras whose arithmetic counts.
    """

    def __init__(
        self,
        channels: tuple[int, int, int],
        heads: int,
        shared_heads: int,
        sizes: tuple[int, int],
        output: tuple[int, ...],
        axes: tuple[int, ...],
        use_bias: bool,
        gated: bool,
        window: int | None,
        dropout: float,
        keras: int,
    ) -> None:
        super().__init__(dropout, keras)
        self.heads, self.shared_heads, self.output_shape, self.axes, self.window = (
            heads, shared_heads, output, axes, window,
        )  # fmt: skip
        for_query, for_value, for_key = channels
        key_size, value_size = sizes
        self.query = Projection(for_query, heads * key_size, use_bias)
        self.key = Projection(for_key, shared_heads * key_size, use_bias)
        self.gate = Projection(for_query, heads * value_size, use_bias) if gated else None
        self.value = Projection(for_value, shared_heads * value_size, use_bias)
        self.output = Projection(heads * value_size, math.prod(output), use_bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initial values as Keras draws them."""
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.zeros_(parameter)

    def forward(self, call: Call) -> Tensor | tuple[Tensor, Tensor]:
        """What the queries saw (N, C, *targets), and the shares of all sources (N, S, *rest) if they are wanted."""
        query, targets = self._headed(self.query(call.query), self.heads)
        key, sources = self._headed(self.key(call.key), self.shared_heads)
        value, _ = self._headed(self.value(call.value), self.shared_heads)
        if self.shared_heads < self.heads:
            times = self.heads // self.shared_heads
            key, value = key.repeat_interleave(times, -3), value.repeat_interleave(times, -3)
        allowed = self._allowed(call, targets, sources, query.dim())
        shares = None
        if call.scores:
            scale = 1 / math.sqrt(query.shape[-1])
            shares = self.shares(query * scale @ key.transpose(-2, -1), allowed, call.causal)
            heads = self.seen(shares, value)
        else:
            heads = self.product(query, key, value, allowed, call.causal)
        seen = self._joined(heads, targets, call.query.dim())
        if self.gate is not None:
            seen = seen * torch.sigmoid(self.gate(call.query))
        result: Tensor = self.output(seen)
        if len(self.output_shape) > 1:
            result = torch.unflatten(result, -1, self.output_shape)
        result = result.movedim(-1, 1)
        if shares is None:
            return result
        shares = torch.unflatten(torch.unflatten(shares, -1, sources), -1 - len(sources), targets)
        return result, shares.movedim(-1, 1)

    def _headed(self, x: Tensor, heads: int) -> tuple[Tensor, tuple[int, ...]]:
        """(N, *rest, heads, places, C) from (N, *axes, heads * C), and the extents of the places."""
        x = torch.unflatten(x, -1, (heads, -1))
        rest = [axis for axis in range(x.dim() - 1) if axis not in self.axes]
        x = x.permute(*rest, *self.axes, -1)
        places = tuple(x.shape[len(rest) : -1])
        return x.flatten(len(rest), -2), places

    def _joined(self, x: Tensor, places: Sequence[int], rank: int) -> Tensor:
        """(N, *axes, heads * C) from (N, *rest, heads, places, C)."""
        x = torch.unflatten(x, -2, tuple(places))
        rest = [axis for axis in range(rank) if axis not in self.axes]
        order = [*rest, *self.axes]
        return x.permute(*(order.index(axis) for axis in range(rank)), -1).flatten(-2)

    def _allowed(self, call: Call, targets: Sequence[int], sources: Sequence[int], rank: int) -> Tensor | None:
        """What each query may see, but for causality: (N, *rest, heads, places, places), 1 for whatever it is alike."""
        allowed = None
        if call.mask is not None:
            allowed = call.mask.bool()
            for _ in range(rank - 2 + 2 * len(self.axes) - allowed.dim()):
                allowed = allowed.unsqueeze(-2 * len(self.axes) - 1)
            allowed = allowed.flatten(-len(self.axes)).flatten(-1 - len(self.axes), -2)
        if self.window is not None:
            here, there = (torch.arange(math.prod(places), device=call.query.device) for places in (targets, sources))
            near = (here[:, None] - there).abs() < self.window
            allowed = near if allowed is None else allowed & near
        return allowed


class DotAttention(Attention):
    """Attention by products, or by sums that are bent; Luong et al., 2015.

    Args:
        scaled: Whether scores have a trained factor.
        summed: Whether scores are sums, with a trained factor of their own.
        dropout: Share of what is seen that is dropped in training.
        keras: The generation of Keras whose arithmetic counts.
    """

    def __init__(self, scaled: bool, summed: bool, dropout: float, keras: int) -> None:
        super().__init__(dropout, keras)
        self.scale = nn.Parameter(torch.ones(())) if scaled else None
        self.concat_score_weight = nn.Parameter(torch.ones(())) if summed else None

    def forward(self, call: Call) -> Tensor | tuple[Tensor, Tensor]:
        """What the queries saw (N, C, *targets), and the shares of all sources (N, S, *targets) if they are wanted."""
        query = call.query
        if self.scale is not None and self.concat_score_weight is None:
            query = query * self.scale
        if self.concat_score_weight is None and not call.scores:
            query, key, value = (x.unsqueeze(-3) for x in (query, call.key, call.value))  # one head
            return self.product(query, key, value, None, call.causal, scale=1.0).squeeze(-3).movedim(-1, 1)
        if self.concat_score_weight is None:
            scores = query @ call.key.transpose(-2, -1)
        else:
            sums = query.unsqueeze(-2) + call.key.unsqueeze(-3)
            sums = sums if self.scale is None else sums * self.scale
            scores = self.concat_score_weight * torch.tanh(sums).sum(-1)
        return self.results(scores, call)

    def results(self, scores: Tensor, call: Call) -> Tensor | tuple[Tensor, Tensor]:
        """What follows from scores (N, *, T, S)."""
        shares = self.shares(scores, None, call.causal)
        seen = self.seen(shares, call.value).movedim(-1, 1)
        return (seen, shares.movedim(-1, 1)) if call.scores else seen


class AdditiveAttention(DotAttention):
    """Attention by sums that are bent, with a factor for each channel; Bahdanau et al., 2015.

    Args:
        channels: Channels of queries and keys; no factors if None.
        dropout: Share of what is seen that is dropped in training.
        keras: The generation of Keras whose arithmetic counts.
    """

    def __init__(self, channels: int | None, dropout: float, keras: int) -> None:
        super().__init__(False, False, dropout, keras)
        self.scale = None if channels is None else nn.Parameter(torch.empty(channels))

    def forward(self, call: Call) -> Tensor | tuple[Tensor, Tensor]:
        """As `DotAttention`."""
        bent = torch.tanh(call.query.unsqueeze(-2) + call.key.unsqueeze(-3))
        return self.results(bent.sum(-1) if self.scale is None else bent @ self.scale, call)
