"""A small training run, for tests in one process and in several."""

import itertools

import torch
from torch import nn

from rmldnn.steps import Batch


class Slices:
    """A loader that cuts tensors into batches, and each batch into contiguous shares."""

    def __init__(self, inputs, targets, batch_size, rank=0, world=1):
        self.inputs, self.targets, self.batch_size, self.rank, self.world = inputs, targets, batch_size, rank, world

    def __len__(self):
        return -(-len(self.inputs) // self.batch_size)

    def turns(self):
        batches = [self.inputs, self.targets, self.batch_size]
        return Turns(*batches, turn=self.rank, every=self.world)

    def remaining(self, seen):
        return -(-(len(self.inputs) - seen) // self.batch_size)

    def epoch(self, number, seen=0):
        for start in range(seen, len(self.inputs), self.batch_size):
            size = min(self.batch_size, len(self.inputs) - start)
            share = -(-size // self.world)
            low, high = (start + min(size, share * rank) for rank in (self.rank, self.rank + 1))
            names = [f"sample_{index}" for index in range(low, high)]
            targets = None if self.targets is None else self.targets[low:high]
            yield Batch(names, self.inputs[low:high], targets, low, size)


class Turns(Slices):
    """The same, of whole batches at which processes take turns."""

    def __init__(self, *batches, turn, every):
        super().__init__(*batches)
        self.turn, self.every = turn, every

    def epoch(self, number, seen=0):
        yield from itertools.islice(super().epoch(number, seen), self.turn, None, self.every)


def classifier(seed=0):
    """The network of the original's smoke test."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 10, 5), nn.MaxPool2d(2), nn.ReLU()),
        nn.Sequential(nn.Conv2d(10, 20, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten()),
        nn.Sequential(nn.Linear(320, 50), nn.ReLU(), nn.Linear(50, 2), nn.LogSoftmax(1)),
    )


def digits(count, seed=1):
    """Random images of two classes that differ in brightness."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(0, 2, (count,), generator=generator)
    inputs = torch.randn(count, 1, 28, 28, generator=generator) + targets.reshape(-1, 1, 1, 1)
    return inputs, targets
