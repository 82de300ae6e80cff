"""Samples that a generator makes, for people: pictures of many of them, and a file of as many as are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from rmldnn.data.sample_grid import draw_grid
from rmldnn.networks.pair import GENERATOR, Pair
from rmldnn.output.samples import SampleFile
from rmldnn.steps import EpochEnd, EvalEnd, Step
from rmldnn.tasks import noise
from rmldnn.tasks.gan import FIXED

COLUMNS = 10
"""Samples in a row of a picture, and rows where networks are told of no classes."""
_BATCH = 256
"""Samples that are made at once."""
_STRAIGHT = 1e-6
"""The sine of an angle below which no way around a circle is known."""
_BOUNDS = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}


class Sheets:
    """Consumes steps and draws what the generator makes of the same random numbers every time.

    `samples_<epoch>.png` has ten samples in a row; a row for each class, where the networks are told of classes.
    `interpolation_<epoch>.png` goes from one sample to another in each row, in the last epoch.

    Args:
        pair: The networks, as they evaluate when an evaluation or an epoch ends.
        folder: Where to.
        every: Epochs from one picture to the next; the last one is drawn in any case. 0 where nothing is trained.
        count: Samples that a run without training writes into `samples_<epoch>.h5`.
        seed: Of the random numbers of those.
    """

    def __init__(self, pair: Pair, folder: Path, every: int, count: int = 0, seed: int = 0) -> None:
        self.outputs: list[tuple[str, str]] = []
        """What was written last, and its path."""
        self._pair = pair
        self._folder = folder
        self._every = every
        self._count = count
        self._seed = seed

    def consume(self, step: Step) -> None:
        """Draws if it is time to.

        Raises:
            RmldnnError: A file cannot be written.
        """
        match step:
            case EpochEnd() if self._every and (step.epoch % self._every == 0 or step.last):
                self._draw(step.epoch, last=step.last)
            case EvalEnd() if not self._every:
                self._draw(step.epoch, last=True)
                self._write(step.epoch)

    def close(self) -> None:
        """Has nothing to complete: each file is whole or absent."""

    def _draw(self, epoch: int, *, last: bool) -> None:
        rows = self._pair.classes or COLUMNS
        begin = noise.normal(self._pair.latent, 0, rows * COLUMNS, FIXED)
        labels = torch.arange(rows).repeat_interleave(COLUMNS)
        found = [("Samples", "samples", begin)]
        if last:
            found.append(("Interpolation", "interpolation", between(begin[:rows], begin[rows : 2 * rows], COLUMNS)))
        self.outputs = []
        for title, name, numbers in found:
            path = self._folder / f"{name}_{epoch}.png"
            bounds = _BOUNDS.get(self._pair.generator.last_activation or "")
            draw_grid(samples(self._pair, numbers, labels).numpy(), COLUMNS, path, bounds)
            self.outputs.append((title, str(path)))

    def _write(self, epoch: int) -> None:
        if not self._count:
            return
        file = SampleFile(self._folder / f"samples_{epoch}.h5", half=False)
        try:
            for first in range(0, self._count, _BATCH):
                places = range(first, min(first + _BATCH, self._count))
                begin = noise.normal(self._pair.latent, first, len(places), self._seed, "samples")
                labels = torch.tensor(places) % max(self._pair.classes, 1)
                file.add(self._names(places), samples(self._pair, begin, labels))
            file.complete()
        except BaseException:
            file.discard()
            raise
        self.outputs.append(("Samples", str(file.path)))

    def _names(self, places: Sequence[int]) -> list[str]:
        """`000012`, or `2/000012` where it is of class 2."""
        classes = self._pair.classes
        return [f"{place % classes}/{place:06d}" if classes else f"{place:06d}" for place in places]


@torch.no_grad()
def samples(pair: Pair, begin: Tensor, labels: Tensor) -> Tensor:
    """What a generator makes of random numbers, on the CPU, 32-bit.

    Args:
        pair: The networks.
        begin: Random numbers (n, *latent).
        labels: Classes (n,), which count where the networks are told of them.
    """
    device, learning = next(pair.parameters()).device, pair.training
    pair.eval()
    parts = zip(torch.split(begin, _BATCH), torch.split(labels, _BATCH), strict=True)
    made = [pair(GENERATOR, part.to(device), known.to(device)).float().cpu() for part, known in parts]
    pair.train(learning)
    return torch.cat(made)


def between(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Random numbers on the great circles from some to others, whose lengths are as likely (White 2016).

    Where there is no such circle, or many, since both point in one direction or in opposite ones, it goes straight.

    Args:
        start: Shape (n, *latent).
        end: The same.
        steps: Points of each way, ends included.

    Returns:
        Shape (n * steps, *latent), way by way.
    """
    one, other = start.flatten(1).double(), end.flatten(1).double()
    cosine = torch.cosine_similarity(one, other).clamp(-1, 1)[:, None, None]
    angle = cosine.arccos()
    part = torch.linspace(0, 1, steps, dtype=torch.float64)[None, :, None]
    sine = angle.sin()
    curved = sine > _STRAIGHT
    shares = [torch.where(curved, (rest * angle).sin() / sine.where(curved, 1), rest) for rest in (1 - part, part)]
    way = shares[0] * one[:, None] + shares[1] * other[:, None]
    return way.reshape(-1, *start.shape[1:]).to(start.dtype)
