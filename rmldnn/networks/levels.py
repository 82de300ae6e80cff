"""Networks for several resolutions that share their weights."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from rmldnn.errors import NetworkError, Problem
from rmldnn.networks.network import Network


class Levels(nn.Module):
    """Takes the network that belongs to the extent of a sample.

    All parameters and statistics of the coarser networks are those of the finest one, which is saved.

    Args:
        finest: The network, on its device.
        coarser: Networks for smaller extents, the coarsest first.
        extents: Of the longest axis, for each of the coarser ones.
        places: What messages call the coarser ones, such as their files.

    Raises:
        NetworkError: A coarser network has a layer that the finest has not, or one of another shape.
    """

    def __init__(
        self, finest: Network, coarser: Sequence[Network], extents: Sequence[int], places: Sequence[str]
    ) -> None:
        super().__init__()
        for network, place in zip(coarser, places, strict=True):
            network.to(next(finest.parameters()).device)
            _share(network, finest, place)
        self.networks = nn.ModuleList([*coarser, finest])
        self._by_extent = {extent: number for number, extent in enumerate(extents)}

    def forward(self, inputs: Tensor) -> Tensor:
        """The output for inputs of shape (N, C, *spatial)."""
        number = self._by_extent.get(max(inputs.shape[2:], default=0), len(self.networks) - 1)
        return self.networks[number](inputs)  # type: ignore[no-any-return]


def _share(network: Network, finest: Network, place: str) -> None:
    """Gives a network the parameters and buffers of another one."""
    theirs = dict(finest.named_modules())
    problems = []
    for name, module in network.named_modules():
        own = {**module._parameters, **module._buffers}
        if not any(tensor is not None for tensor in own.values()):
            continue
        match = theirs.get(name)
        found = {} if match is None else {**match._parameters, **match._buffers}
        here, there = (
            {key: tuple(value.shape) for key, value in each.items() if value is not None} for each in (own, found)
        )
        if here == there and match is not None:
            module._parameters.update(match._parameters)
            module._buffers.update(match._buffers)
        elif match is None:
            problems.append(Problem("multigrid.networks", f"the finest network has no layer `{name}`", place))
        else:
            message = f"layer `{name}` has weights of {_shapes(here)}, in the finest network of {_shapes(there)}"
            problems.append(Problem("multigrid.networks", message, place))
    if problems:
        raise NetworkError(problems)


def _shapes(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "no shape"
