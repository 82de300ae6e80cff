"""Fewer numbers kept for the backward pass: activation checkpointing (Chen et al. 2016, arXiv 1604.06174).

The straight-line code of a network is cut into about the square root of its number of calls. Only what goes from one
piece to another is kept; the rest of a piece is computed once more when its gradient is wanted. Random numbers are the
same the second time, and running statistics take note of a batch once.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import fx, nn
from torch.fx.passes.split_module import split_module
from torch.utils.checkpoint import checkpoint

from rmldnn.networks.draws import Draws, drawing, present


def recomputing(network: nn.Module, *, compiled: bool = False) -> nn.Module:
    """The same network, parameters shared, that computes activations twice.

    Args:
        network: One made of straight-line code; others are given back as they are.
        compiled: Compiles its pieces: what is between them is nothing that torch can compile.
    """
    if not isinstance(network, fx.GraphModule):
        return torch.compile(network) if compiled else network  # type: ignore[return-value]
    calls = [node for node in network.graph.nodes if node.op in ("call_module", "call_function", "call_method")]
    size = max(1, math.isqrt(len(calls)))
    piece = {node: place // size for place, node in enumerate(calls)}
    plain = fx.GraphModule(network, network.graph)
    pieces = split_module(plain, plain, lambda node: piece.get(node, 0), keep_original_order=True)
    for name, module in list(pieces.named_children()):
        if isinstance(module, fx.GraphModule) and name.startswith("submod_"):
            setattr(pieces, name, _Piece(module, compiled))
    return pieces


class _Piece(nn.Module):
    """A piece of a network that is computed once more for its gradient."""

    def __init__(self, module: nn.Module, compiled: bool) -> None:
        super().__init__()
        self.module = module
        self._run: Any = [torch.compile(module) if compiled else module]  # in a list, lest its parameters count twice

    def forward(self, *inputs: Any) -> Any:
        return checkpoint(self._run[0], *inputs, use_reentrant=False, context_fn=self._contexts)

    def _contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return contextlib.nullcontext(), _again(self.module, present())


@contextlib.contextmanager
def _again(module: nn.Module, draws: Draws | None) -> Iterator[None]:
    """Random numbers are those of the first time, and running statistics afterwards what they were."""
    before = [buffer.clone() for buffer in module.buffers()]
    try:
        with drawing(draws):
            yield
    finally:  # torch ends by an exception as soon as it has what it wants
        for buffer, value in zip(module.buffers(), before, strict=True):
            buffer.data.copy_(value)  # unnoticed by autograd too, which has just taken note of them
