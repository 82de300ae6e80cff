"""Outputs and targets of every kind that metrics compare, drawn at random."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from rmldnn.losses.bce import bce
from rmldnn.losses.nll import nll


@dataclass
class Kind:
    """A kind of target: network channels, extents, what the loss is, and whether labels are answered by yes or no."""

    channels: int
    extents: tuple[int, ...]
    loss: object
    labels: bool

    def draw(self, seed: int, samples: int = 7) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        output = 2 * torch.randn(samples, self.channels, *self.extents, generator=generator)
        if self.labels:
            target = torch.randint(0, 2, output.shape, generator=generator).float()
            return (output if self.loss.keywords.get("source") == "linear" else output.sigmoid()), target
        target = torch.randint(0, self.channels, (samples, *self.extents), generator=generator)
        if (ignored := self.loss.keywords.get("ignore_index")) is not None:
            target.view(-1)[::3] = ignored
        return output.log_softmax(1), target


NLL, BCE = partial(nll), partial(bce, source="sigmoid")
KINDS = {
    "classes": Kind(4, (), NLL, False),
    "classes-with-ignored": Kind(4, (), partial(nll, ignore_index=255), False),
    "classes-with-one-ignored": Kind(4, (6,), partial(nll, ignore_index=0), False),
    "one-probability": Kind(1, (), BCE, True),
    "one-logit": Kind(1, (5,), partial(bce, source="linear"), True),
    "labels": Kind(3, (), BCE, True),
    "masks-1d": Kind(3, (9,), NLL, False),
    "masks-2d": Kind(3, (6, 7), NLL, False),
    "masks-3d": Kind(3, (4, 3, 5), NLL, False),
    "one-mask": Kind(1, (6, 7), BCE, True),
    "several-masks": Kind(2, (4, 3, 5), BCE, True),
}
