"""What the two networks of a generative adversarial network learn by (Goodfellow et al. 2014).

The discriminator, which is a critic where it gives scores and no probabilities, gets D(x) for real samples and D(G(z))
for made ones; the generator learns by D(G(z)). Where a discriminator gives more than one number for a sample, as one of
patches does, each counts alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from rmldnn.component import component
from rmldnn.errors import ConfigError, Problem
from rmldnn.losses.reduction import alone, ratio, wide
from rmldnn.losses.source import log_yes_and_no
from rmldnn.types import NonNegative, Positive, Source, Total

PENALTY = 10.0
"""The factor of the gradient penalty in the paper."""


class Adversarial(ABC):
    """A pair of losses; each is a mean over all processes."""

    gradient_penalty: float = 0.0
    """Factor of the gradient penalty."""
    clip: float | None = None
    """Largest absolute value of the critic's weights."""
    unbounded = False
    """Whether it takes scores, which no activation bounds."""

    @abstractmethod
    def found(self, scores: Tensor) -> Tensor:
        """The discriminator's loss of each number that it gives for real samples."""

    @abstractmethod
    def made(self, scores: Tensor) -> Tensor:
        """The discriminator's loss of each number that it gives for made samples."""

    @abstractmethod
    def fooled(self, scores: Tensor) -> Tensor:
        """The generator's loss of each number that the discriminator gives for made samples."""

    def critic(self, real: Tensor, made: Tensor, total: Total = alone) -> Tensor:
        """The discriminator's loss of the global batch, a scalar, without a gradient penalty.

        Args:
            real: What it gives for real samples, shape (n, ...).
            made: What it gives for made ones, shape (m, ...).
            total: Sums a tensor over all processes; called once.
        """
        sums = [self.found(wide(real)).sum(), self.made(wide(made)).sum()]
        counts = [sums[0].new_full((), each.numel()) for each in (real, made)]
        sum_real, sum_made, num_real, num_made = total(torch.stack(sums + counts)).unbind()
        return sum_real / num_real.clamp(min=1) + sum_made / num_made.clamp(min=1)  # type: ignore[no-any-return]

    def generator(self, made: Tensor, total: Total = alone) -> Tensor:
        """The generator's loss of the global batch, a scalar.

        Args:
            made: What the discriminator gives for made samples, shape (m, ...).
            total: Sums a tensor over all processes; called once.
        """
        return ratio(self.fooled(wide(made)).sum(), made.numel(), total)


@component("Wasserstein")
class Wasserstein(Adversarial):
    """The critic maximises mean D(x) - mean D(G(z)), which is then the distance of the two distributions.

    For that D must not change by more than the distance of its arguments, which a penalty of its gradient sees to
    (Gulrajani et al. 2017), or in a coarse way the clipping of its weights (Arjovsky et al. 2017).

    Args:
        gradient_penalty: Factor of the mean of (|dD/dx| - 1)^2 between real and made samples; 10, unless `clip` is
            given.
        clip: Cuts the critic's weights to -clip..clip after each of its updates, such as 0.01; in place of the penalty.

    Raises:
        ConfigError: Both are given.
    """

    unbounded = True

    def __init__(self, *, gradient_penalty: NonNegative | None = None, clip: Positive | None = None) -> None:
        if clip is not None and gradient_penalty:
            message = "and `gradient_penalty` do the same in two ways; remove one of them"
            raise ConfigError(Problem("loss.clip", message))
        self.gradient_penalty = (0.0 if clip else PENALTY) if gradient_penalty is None else gradient_penalty
        self.clip = clip

    def found(self, scores: Tensor) -> Tensor:
        """-D."""
        return -scores

    def made(self, scores: Tensor) -> Tensor:
        """D."""
        return scores

    def fooled(self, scores: Tensor) -> Tensor:
        """-D."""
        return -scores


@component("GAN")
class Original(Adversarial):
    """The discriminator minimises -mean log p(x) - mean log(1 - p(G(z))), the generator -mean log p(G(z)).

    p is the probability of being real. The generator's loss is the one that does not saturate (Goodfellow et al. 2014).

    Args:
        source: Activation that the discriminator ends in, its own if absent: `sigmoid` gives probabilities, `linear`
            and `none` scores, of which they are the sigmoid.
    """

    def __init__(self, *, source: Source | None = None) -> None:
        self.source = source

    def found(self, scores: Tensor) -> Tensor:
        """-log p."""
        return -log_yes_and_no(scores, self.source)[0]

    def made(self, scores: Tensor) -> Tensor:
        """-log(1 - p)."""
        return -log_yes_and_no(scores, self.source)[1]

    def fooled(self, scores: Tensor) -> Tensor:
        """-log p."""
        return -log_yes_and_no(scores, self.source)[0]


@component("LeastSquares")
class LeastSquares(Adversarial):
    """Half the squared distance of D to 1 for real samples and to 0 for made ones (Mao et al. 2017)."""

    def __init__(self) -> None:
        pass

    def found(self, scores: Tensor) -> Tensor:
        """(D - 1)^2 / 2."""
        return (scores - 1).square() / 2

    def made(self, scores: Tensor) -> Tensor:
        """D^2 / 2."""
        return scores.square() / 2

    def fooled(self, scores: Tensor) -> Tensor:
        """(D - 1)^2 / 2."""
        return (scores - 1).square() / 2


@component("Hinge")
class Hinge(Adversarial):
    """The discriminator minimises mean max(0, 1 - D(x)) + mean max(0, 1 + D(G(z))), the generator -mean D(G(z)).

    Lim and Ye (2017).
    """

    unbounded = True

    def __init__(self) -> None:
        pass

    def found(self, scores: Tensor) -> Tensor:
        """max(0, 1 - D)."""
        return F.relu(1 - scores)

    def made(self, scores: Tensor) -> Tensor:
        """max(0, 1 + D)."""
        return F.relu(1 + scores)

    def fooled(self, scores: Tensor) -> Tensor:
        """-D."""
        return -scores


def gradient_penalty(critic: Callable[[Tensor], Tensor], between: Tensor, total: Total = alone) -> Tensor:
    """The mean over samples of (|dD/dx| - 1)^2, a scalar of which gradients can be taken.

    Args:
        critic: From samples to scores, each sample by itself.
        between: Samples between real and made ones, shape (n, ...).
        total: Sums a tensor over all processes; called once.
    """
    between = between.detach().requires_grad_()
    scores = critic(between).sum()
    slope = torch.autograd.grad(scores, between, create_graph=True)[0] if len(between) else between
    # The slope of a root is infinite at 0; a share of no sample keeps its place in the graph.
    norms = (wide(slope).flatten(1).square().sum(1) + 1e-12).sqrt() if len(between) else wide(slope).flatten()
    return ratio((norms - 1).square().sum() + 0 * scores, len(between), total)
