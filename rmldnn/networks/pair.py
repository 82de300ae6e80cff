"""Two networks that learn against each other, as one: a generator and a discriminator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from rmldnn.errors import NetworkError, Problem
from rmldnn.networks.graph import Graph, Node
from rmldnn.networks.layout import tensor_shape
from rmldnn.networks.network import Network

GENERATOR, DISCRIMINATOR = "generator", "discriminator"
PARTS = (GENERATOR, DISCRIMINATOR)


class Pair(nn.Module):
    """A generator and a discriminator; parameters are called `generator.<layer>.weight`, ...

    Args:
        generator: From random numbers to samples.
        discriminator: From samples to scores.
        classes: How many classes both are told of: as so many more channels of what they take, the one of the class 1,
            the others 0 (Mirza and Osindero 2014); 0 if they know of no classes.
    """

    def __init__(self, generator: Network, discriminator: Network, classes: int = 0) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.classes = classes

    def forward(self, which: str, inputs: Tensor, labels: Tensor | None = None) -> Tensor:
        """Runs one of the networks, or both.

        Args:
            which: `generator` for samples of random numbers, `discriminator` for scores of samples, `both` for scores
                of the samples that are made of random numbers.
            inputs: Random numbers (n, *latent) or samples (n, C, *spatial).
            labels: Classes (n,) int64, where the networks are told of them.
        """
        known = None if labels is None or not self.classes else F.one_hot(labels, self.classes).to(inputs.dtype)
        if which != DISCRIMINATOR:
            inputs = self.generator(_with(inputs, known))
        if which != GENERATOR:
            inputs = self.discriminator(_with(inputs, known))
        return inputs

    @property
    def parts(self) -> Mapping[str, Network]:
        """The networks by name."""
        return {GENERATOR: self.generator, DISCRIMINATOR: self.discriminator}

    @property
    def latent(self) -> list[int]:
        """Shape of the random numbers for one sample, as a tensor has it."""
        shape = tuple(self.generator.input_shapes[0][1:])
        channels, *spatial = shape if self.generator.channels_first else tensor_shape(shape)
        return [int(channels or 0) - self.classes, *(extent or 1 for extent in spatial)]

    @property
    def title(self) -> str:
        """The names of both networks."""
        return f"{self.generator.title}, {self.discriminator.title}"

    @property
    def num_operations(self) -> int:
        """Layers of both."""
        return sum(part.num_operations for part in self.parts.values())

    @property
    def last_activation(self) -> str | None:
        """What the scores went through last."""
        return self.discriminator.last_activation

    @property
    def output_shapes(self) -> list[list[int | None]]:
        """Shape of a sample that is made, as Keras gives it."""
        return self.generator.output_shapes

    @property
    def channels_first(self) -> bool:
        """Whether that shape has its channels first."""
        return self.generator.channels_first

    @property
    def description(self) -> Graph:
        """What both were built from, as two nested models."""
        nodes = [Node(name, "Model", {}, (), model=part.description) for name, part in self.parts.items()]
        return Graph(self.title, tuple(nodes), (), ())


def _with(inputs: Tensor, known: Tensor | None) -> Tensor:
    """Inputs with the classes as further channels."""
    if known is None:
        return inputs
    planes = known.reshape(*known.shape, *[1] * (inputs.ndim - 2)).expand(-1, -1, *inputs.shape[2:])
    return torch.cat([inputs, planes], 1)


def paired(generator: Network, discriminator: Network, section: str, *, conditional: bool) -> Pair:
    """Both networks, told of as many classes as the discriminator has channels for.

    Raises:
        NetworkError: The discriminator does not take what the generator gives.
    """
    problems = [
        Problem(f"{section}.{part}", f"the network has {len(shapes)} {what}; a {part} has one")
        for part, network in (("generator", generator), ("discriminator", discriminator))
        for what, shapes in (("inputs", network.input_shapes), ("outputs", network.output_shapes))
        if len(shapes) > 1
    ]
    if problems:
        raise NetworkError(problems)
    made, taken = (
        _channels_last(*each)
        for each in ((generator.output_shapes[0], generator), (discriminator.input_shapes[0], discriminator))
    )
    classes = (taken[-1] or 0) - (made[-1] or 0) if conditional else 0
    more = " and as many channels more as there are classes (`task.conditional`)" if conditional else ""
    fits = len(made) == len(taken) and all(
        None in pair or pair[0] == pair[1] for pair in zip(made[:-1], taken[:-1], strict=True)
    )
    if not fits or (classes < 1 if conditional else made[-1] != taken[-1]):
        gives = f"the generator gives samples of {made}, but the discriminator takes {taken}; change one of the two"
        takes = f"the discriminator takes samples of {taken}, but the generator gives {made}; let it take those{more}"
        raise NetworkError([Problem(f"{section}.generator", gives), Problem(f"{section}.discriminator", takes)])
    if conditional and (generator.input_shapes[0][-1] or 0) <= classes:
        message = f"takes {generator.input_shapes[0][1:]}, which leaves no random number besides the {classes} classes"
        raise NetworkError(Problem(f"{section}.generator", message))
    return Pair(generator, discriminator, classes)


def _channels_last(shape: Sequence[int | None], network: Network) -> list[int | None]:
    """The shape of a sample with its channels last."""
    return [*shape[2:], shape[1]] if network.channels_first else list(shape[1:])
