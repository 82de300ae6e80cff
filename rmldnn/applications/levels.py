"""How a run gets its resolutions: coarser batches, and coarser networks that share the weights of the finest."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from rmldnn.applications.fitting import require_passage
from rmldnn.data.levels import coarse
from rmldnn.data.loader import Loader
from rmldnn.engine.multigrid import Multigrid
from rmldnn.errors import ConfigError, NetworkError, Problem
from rmldnn.networks.compile import network
from rmldnn.networks.levels import Levels
from rmldnn.networks.network import Network
from rmldnn.steps import Batch


def shrink(grid: Multigrid, model: Network, loaders: Iterable[Loader], *, nodes: bool) -> None:
    """Lets loaders give batches of the resolution of each epoch.

    Args:
        grid: The resolutions.
        model: The network of the finest one.
        loaders: Of the training and the test set.
        nodes: Whether samples are values at nodes, where the configuration does not say.

    Raises:
        ConfigError: Samples are coarser than the finest level.
        NetworkError: The network does not take samples of a level.
    """
    nodes = nodes if grid.grid == "auto" else grid.grid == "nodes"
    for loader in loaders:
        for sample in loader.samples():
            longest = max(sample.inputs.shape[2:], default=0)
            if longest < grid.levels[-1]:
                message = (
                    f"end at {grid.levels[-1]}, but the longest axis of `{sample.names[0]}` has {longest}; "
                    "give finer samples, or leave out levels"
                )
                raise ConfigError(Problem("multigrid.levels", message))
            for level in () if grid.networks else grid.levels:
                require_passage(model, coarse(sample, level, nodes=nodes).inputs, "multigrid.levels")
        loader.coarse = partial(_coarse, grid, nodes)


def _coarse(grid: Multigrid, nodes: bool, epoch: int, batch: Batch) -> Batch:
    return coarse(batch, grid.extent(epoch), nodes=nodes)


def levelled(model: Network, grid: Multigrid | None, *, lenient: bool = False) -> Network | Levels:
    """What takes samples of all levels: the network, or a choice of networks that share its weights.

    Args:
        model: The network of the finest level, on its device.
        grid: The resolutions.
        lenient: Unknown keys of layers are warnings.

    Raises:
        NetworkError: A coarser network cannot be made, or has weights that the finest has not.
    """
    if grid is None or not grid.networks:
        return model
    coarser = []
    for place in grid.networks:
        try:
            coarser.append(network(lenient, layers=place))
        except NetworkError as error:
            problems = [
                Problem("multigrid.networks", f"{fault.path}: {fault.message}", fault.place) for fault in error.problems
            ]
            raise NetworkError(problems) from error
    return Levels(model, coarser, grid.levels[:-1], grid.networks)
