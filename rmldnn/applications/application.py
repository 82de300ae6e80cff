"""A run that compares outputs with targets, from which the runs of other tasks differ in some parts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from rmldnn.applications.fitting import require_fit, require_targets
from rmldnn.component import component
from rmldnn.config import catalog
from rmldnn.config.instantiate import instantiate
from rmldnn.data.loader import Loader
from rmldnn.engine.evaluation import Metrics
from rmldnn.engine.loop import Schedule
from rmldnn.errors import NetworkError
from rmldnn.losses.combined import Combined
from rmldnn.losses.source import SCORES
from rmldnn.metrics.measure import Metrics as Measures
from rmldnn.networks.compile import network
from rmldnn.networks.network import Network
from rmldnn.optimizers.groups import parameter_groups
from rmldnn.output.console import Consumer
from rmldnn.output.predictions import Predictions
from rmldnn.schedulers.chain import Chain
from rmldnn.tasks.supervised import Supervised
from rmldnn.tasks.task import Task
from rmldnn.types import Source

log = logging.getLogger("rmldnn")


@component("dnn")
class Application:
    """Classification, segmentation, regression, auto-encoders: outputs are compared with targets."""

    nodes = False
    """Whether samples are values at the nodes of a grid, from border to border, not those of its cells."""

    def __init__(self) -> None:
        pass

    def network(self, config: Mapping[str, Any], nodes: Mapping[str, Any], *, lenient: bool = False) -> Network:
        """The network: its layers, or a family of the zoo, whose problems are those of the section `network`.

        Args:
            config: The composed configuration.
            nodes: Its tree of nodes.
            lenient: Unknown keys of layers are warnings.

        Raises:
            NetworkError: It cannot be made.
        """
        keys = {key: config[key] for key in catalog.only("network").parameters if key in config}
        grid = config.get("multigrid") or {"networks": True}
        any_extents = not grid.get("networks")
        family = instantiate(nodes["network"])
        if family is None:
            return network(lenient, None, any_extents, **keys)
        try:
            return network(lenient, family(), any_extents, **keys)
        except NetworkError as error:
            raise NetworkError(
                [replace(fault, path=f"network.{fault.path}".rstrip(".")) for fault in error.problems]
            ) from error

    def loss(self, model: Network, nodes: Mapping[str, Any]) -> Callable[..., Tensor] | None:
        """The loss of a configuration, or the sum of its losses; None if there is none.

        Where the user does not say which activation a loss's input went through, it is the last one of the network.
        """
        last = source(model)
        _doubt(model, nodes["losses"])
        filled = [
            (factor, {**node, "source": last} if node.get("source", last) is None else node)
            for factor, node in nodes["losses"]
        ]
        terms = [(factor, _made(instantiate(node))) for factor, node in filled]
        if len(terms) == 1 and terms[0][0] == 1.0:
            only: Callable[..., Tensor] = terms[0][1]
            return only
        return Combined(terms) if terms else None

    def task(self, model: Network, loss: Callable[..., Tensor] | None) -> Task:
        """What one learning step is."""
        return Supervised(loss, penalty=model.penalty)

    def optimizer(self, model: Network, config: Mapping[str, Any], nodes: Mapping[str, Any]) -> torch.optim.Optimizer:
        """The optimizer, for the parameters that learn.

        Raises:
            ConfigError: It cannot be made so.
        """
        keys = config["optimizer"]
        made: torch.optim.Optimizer = instantiate(nodes["optimizer"])(
            parameter_groups(model, keys.get("parameters") or [], keys)
        )
        return made

    def schedule(self, optimizer: torch.optim.Optimizer, nodes: Mapping[str, Any], epochs: int) -> Schedule | None:
        """The schedule of the learning rate; None if it stays the same."""
        makers = [instantiate(node) for node in nodes["schedules"]]
        if not makers:
            return None
        return makers[0](optimizer, epochs) if len(makers) == 1 else Chain(optimizer, epochs, makers)

    def require_fit(self, model: Network, loader: Loader, section: str) -> None:
        """Refuses data that the network cannot take.

        Args:
            model: The network.
            loader: A set.
            section: What of the configuration says what the network is.

        Raises:
            NetworkError: Samples or classes do not go with the network.
            DataError: Targets do not go with its output.
        """
        require_fit(model, loader, section)

    def require_targets(self, model: Network, loss: Callable[..., Tensor] | None, loader: Loader) -> int:
        """Refuses targets that the loss cannot compare with outputs of the network; some samples are looked at.

        Returns:
            How many they are.

        Raises:
            ConfigError: The loss does not take them.
        """
        return require_targets(model, loss, loader)

    def metrics(
        self, nodes: Mapping[str, Any], loss: Callable[..., Tensor] | None, test: Loader | None
    ) -> Metrics | None:
        """What evaluations measure besides loss and accuracy; None for nothing.

        Raises:
            ConfigError: It cannot be measured.
        """
        if not nodes["metrics"]:
            return None
        return Measures(
            [instantiate(node) for node in nodes["metrics"]], loss, test.dataset.classes if test is not None else ()
        )

    def writers(
        self, predictions: Predictions, model: Network, test: Loader | None, epochs: int, folder: Path | None = None
    ) -> Sequence[Consumer]:
        """Who writes what the network makes of the test set; asked for in the first process.

        Args:
            predictions: What the configuration wants to be written.
            model: The network.
            test: The test set.
            epochs: Evaluations that are certain to come.
            folder: The run folder of a training.

        Raises:
            ConfigError: There is no room for it.
        """
        del folder
        if test is not None:
            predictions.require_room(len(test.dataset), model.output_shapes[0][1:], epochs)
        return [predictions]


def _made(loss: Any) -> Callable[..., Tensor]:
    """The loss of a partial: itself, or an instance where the component is a class, whose keys are all it needs."""
    made: Callable[..., Tensor] = loss() if isinstance(loss.func, type) else loss
    return made


_DISTANCES = ("mse", "l1", "smooth_l1", "huber", "ssim")
"""Losses that take outputs as they are."""


def _doubt(model: Network, losses: Sequence[tuple[float, Mapping[str, Any]]]) -> None:
    """Warns of a loss that does not suit the network's last activation, or that is told of another one."""
    last = model.last_activation
    for index, (_, node) in enumerate(losses):
        place = "loss" if len(losses) == 1 else f"loss[{index}]"
        said = node.get("source")
        if last == "log_softmax" and node["_target_"].rpartition(".")[2] in _DISTANCES:
            log.warning(
                f"{place}.function: measures a distance, but the network ends in `{last}`, whose outputs are "
                "logarithms of probabilities; take NLL, or let the network end in `softmax` or `linear`"
            )
        if said is None or last not in get_args(Source) or said == last or {said, last} <= {*SCORES}:
            continue
        log.warning(
            f"{place}.source: says that the output went through `{said}`, but the network ends in `{last}`; leave the "
            "key out, and the loss goes by the network"
        )


def source(model: Network) -> str:
    """What the network's output went through: its last activation, `linear` if losses do not know that."""
    last = model.last_activation or "linear"
    return last if last in get_args(Source) else "linear"
