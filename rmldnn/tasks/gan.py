"""Learning to make samples like those that are found: two networks that learn against each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from rmldnn.losses.adversarial import Adversarial, gradient_penalty
from rmldnn.losses.target import moved
from rmldnn.metrics.accuracy import Metric
from rmldnn.networks.pair import DISCRIMINATOR, GENERATOR, Pair
from rmldnn.steps import Batch
from rmldnn.tasks import noise
from rmldnn.tasks.task import Place, Turn
from rmldnn.types import Total

FIXED = "evaluation"
"""Key of the random numbers that evaluations begin with: the same in all of them, and in all runs."""


class Adversaries:
    """The discriminator learns from every batch, the generator from every so manieth.

    Random numbers are functions of seed, epoch and position of the sample, so any number of processes draws the same.

    Args:
        pair: The networks.
        loss: What they learn by; None if samples are only to be made.
        critic_steps: Batches from which the discriminator learns to one from which the generator does.
        watch: Is given the samples of an evaluation: found ones, made ones, their classes where the networks know some.
    """

    metric: Metric | None = None
    needs_targets = False

    def __init__(
        self,
        pair: Pair,
        loss: Adversarial | None,
        critic_steps: int = 1,
        watch: Callable[[Tensor, Tensor, Tensor | None], None] | None = None,
    ) -> None:
        self.pair = pair
        self.loss = loss
        self.critic_steps = critic_steps
        self._watch = watch

    def turns(self, network: nn.Module, total: Total, place: Place) -> Sequence[Turn]:
        """The discriminator's update, and maybe the generator's."""
        critic = Turn(partial(self._critic, network, total, place), learning=partial(self._learning, DISCRIMINATOR))
        if place.update % self.critic_steps:
            return [critic]
        objective = partial(self._generator, network, total, place)
        return [critic, Turn(objective, GENERATOR, partial(self._learning, GENERATOR))]

    def forward(self, network: nn.Module, batch: Batch, total: Total) -> tuple[Tensor | None, Tensor]:
        """The discriminator's loss, without a penalty of its gradient, and samples made in place of those of the batch.

        They are of the classes of the batch, where the networks are told of classes.
        """
        labels = self._labels(batch)
        made = network(GENERATOR, self._noise(batch, FIXED), labels)
        if self._watch is not None:
            self._watch(batch.inputs, made, labels)
        if self.loss is None:
            return None, made
        found = network(DISCRIMINATOR, batch.inputs, labels)
        return self.loss.critic(found, network(DISCRIMINATOR, made, labels), total), made

    def _critic(self, network: nn.Module, total: Total, place: Place, batch: Batch) -> Tensor:
        assert self.loss is not None  # noqa: S101 - the check of the configuration has seen it
        labels = self._labels(batch)
        with torch.no_grad():
            made = network(GENERATOR, self._noise(batch, place.seed, place.epoch, DISCRIMINATOR), labels)
        found = network(DISCRIMINATOR, batch.inputs, labels)
        loss = self.loss.critic(found, network(DISCRIMINATOR, made, labels), total)
        if self.loss.gradient_penalty:
            mix = noise.uniform(batch.first, len(made), place.seed, place.epoch, "between").to(made)
            between = torch.lerp(made, batch.inputs.to(made), mix.view(-1, *[1] * (made.ndim - 1)))
            steep = gradient_penalty(lambda samples: network(DISCRIMINATOR, samples, labels), between, total)
            loss = loss + self.loss.gradient_penalty * steep
        return _with(loss, self.pair.discriminator.penalty())

    def _generator(self, network: nn.Module, total: Total, place: Place, batch: Batch) -> Tensor:
        assert self.loss is not None  # noqa: S101 - the check of the configuration has seen it
        begin = self._noise(batch, place.seed, place.epoch, GENERATOR)
        scores = network("both", begin, self._labels(batch))
        return _with(self.loss.generator(scores, total), self.pair.generator.penalty())

    def _labels(self, batch: Batch) -> Tensor | None:
        """The classes of a batch, where the networks want them."""
        if not self.pair.classes or batch.targets is None:
            return None
        return moved(batch.targets, batch.inputs.device)

    def _noise(self, batch: Batch, *key: object) -> Tensor:
        """What the generator begins with in place of the samples of a batch."""
        drawn = noise.normal(self.pair.latent, batch.first, len(batch.inputs), *key)
        return drawn.to(batch.inputs.device, non_blocking=True)

    @contextmanager
    def _learning(self, name: str) -> Iterator[None]:
        """Lets one of the networks learn: gradients go through the other one, but not to its parameters."""
        still = [
            parameter
            for other, part in self.pair.parts.items()
            for parameter in part.parameters()
            if other != name and parameter.requires_grad
        ]
        for parameter in still:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in still:
                parameter.requires_grad_(True)
        if name == DISCRIMINATOR and self.loss is not None and self.loss.clip is not None:
            with torch.no_grad():
                learned: list[Tensor] = [one for one in self.pair.discriminator.parameters() if one.requires_grad]
                torch._foreach_clamp_min_(learned, -self.loss.clip)
                torch._foreach_clamp_max_(learned, self.loss.clip)


def _with(loss: Tensor, penalty: Tensor | None) -> Tensor:
    """A loss, and what regularizers of the network that learns add."""
    return loss if penalty is None else loss + penalty
