"""A run that learns to solve a partial differential equation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from rmldnn.applications.application import Application
from rmldnn.component import component
from rmldnn.data.loader import Loader
from rmldnn.losses.equation import Equation, TargetError
from rmldnn.networks.network import Network
from rmldnn.tasks.pde import Solving
from rmldnn.tasks.task import Task


@component("pde")
class PDE(Application):
    """Partial differential equations: the loss is one of them, targets are what it depends on, such as coefficients.

    Predictions are solutions: where the loss has `"boundary": "exact"`, the field that is made of the network's output.
    """

    nodes = True

    def __init__(self) -> None:
        self.equation: Equation | None = None

    def loss(self, model: Network, nodes: Mapping[str, Any]) -> Callable[..., Tensor] | None:
        """The equation; None if there is none."""
        made = super().loss(model, nodes)
        assert made is None or isinstance(made, Equation)  # noqa: S101 - the check of the configuration has seen it
        self.equation = made
        return made

    def task(self, model: Network, loss: Callable[..., Tensor] | None) -> Task:
        """One step takes the loss of the equation."""
        del loss
        return Solving(self.equation, penalty=model.penalty)

    def require_fit(self, model: Network, loader: Loader, section: str) -> None:
        """Refuses data that the network or the equation cannot take; see `Application`.

        Raises:
            NetworkError: Samples do not go with the network.
            ConfigError: Output or targets are not what the equation needs.
        """
        super().require_fit(model, loader, section)
        if self.equation is None:
            return
        shape = model.output_shapes[0][1:]
        channels, *extent = shape if model.channels_first else (shape[-1], *shape[:-1])
        for sample in loader.samples():
            if sample.targets is None:
                continue
            # An extent that the network leaves open is that of the target.
            known = [
                targets if own is None else own
                for own, targets in zip(extent[::-1], sample.targets.shape[::-1], strict=False)
            ]
            if channels is not None and len(known) == len(extent):
                output = torch.empty(len(sample.targets), channels, *known[::-1], device="meta")
                try:
                    self.equation.require(output, sample.targets)
                except TargetError as error:
                    assert loader.dataset.targets is not None  # noqa: S101 - the sample has some
                    index = loader.dataset.names.index(sample.names[0])
                    raise error.named([loader.dataset.targets.source.locate(index)]) from error
