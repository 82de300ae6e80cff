"""Measures what it costs that a network is read from a file: building a large one, and running ResNet50.

Usage: python tools/benchmark_networks.py [--batch N] [--repeats N] [--network FILE]

Prints the seconds to read and build a network (one of 748 layers of the zoo, or FILE), and the time of a forward pass
of ResNet50 as a ratio to the same network written by hand in the style of torchvision, in turns, at the same batch and
layout.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from rmldnn.networks.compile import network
from rmldnn.networks.writing import write
from rmldnn.networks.zoo.resnet import resnet50
from rmldnn.networks.zoo.segmentation import unet


class Bottleneck(nn.Module):
    """Three convolutions beside a shortcut, as Keras' ResNet has them: strides in the first, biases everywhere."""

    def __init__(self, inputs: int, filters: int, stride: int, project: bool) -> None:
        super().__init__()
        self.shortcut = nn.Sequential(nn.Conv2d(inputs, 4 * filters, 1, stride), norm(4 * filters)) if project else None
        self.conv1, self.norm1 = nn.Conv2d(inputs, filters, 1, stride), norm(filters)
        self.conv2, self.norm2 = nn.Conv2d(filters, filters, 3, padding=1), norm(filters)
        self.conv3, self.norm3 = nn.Conv2d(filters, 4 * filters, 1), norm(4 * filters)

    def forward(self, x: Tensor) -> Tensor:
        """One block."""
        shortcut = x if self.shortcut is None else self.shortcut(x)
        y = torch.relu(self.norm1(self.conv1(x)))
        y = torch.relu(self.norm2(self.conv2(y)))
        return torch.relu(self.norm3(self.conv3(y)) + shortcut)


class ResNet50(nn.Module):
    """ResNet50 as one would write it by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3), norm(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        blocks: list[nn.Module] = []
        channels = 64
        for filters, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
            for index in range(count):
                blocks.append(Bottleneck(channels, filters, stride if index == 0 else 1, project=index == 0))
                channels = 4 * filters
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(channels, 1000)

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities of images (N, 3, 224, 224)."""
        x = self.blocks(self.stem(x)).mean((2, 3))
        return torch.softmax(self.head(x), 1)


def norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm with Keras' epsilon."""
    return nn.BatchNorm2d(channels, eps=1.001e-5)


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def build_seconds(file: str) -> float:
    """Reading, checking and building, the best of three."""
    return min(seconds(lambda: network(layers=file)) for _ in range(3))


def forward_ratio(batch: int, repeats: int) -> tuple[float, float, float]:
    """Median seconds of both, and the median of the ratios of neighbouring measurements."""
    ours, theirs = network(layers=write(resnet50())).eval(), ResNet50().eval()
    x = torch.rand(batch, 3, 224, 224)
    pairs = []
    with torch.no_grad():
        ours(x), theirs(x)
        for _ in range(repeats):
            pairs.append((seconds(lambda: ours(x)), seconds(lambda: theirs(x))))
    ratios = statistics.median(mine / other for mine, other in pairs)
    return statistics.median(mine for mine, _ in pairs), statistics.median(other for _, other in pairs), ratios


def main() -> None:
    """Prints both measurements."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--network", help="a Keras file to build instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = options.network or str(Path(folder) / "net.json")
        if not options.network:
            Path(file).write_text(json.dumps(write(unet(backbone="densenet201"))), encoding="utf-8")
        layers = len(json.loads(Path(file).read_text())["config"]["layers"])
        print(f"building {layers} layers: {build_seconds(file):.2f} s")
    mine, other, ratio = forward_ratio(options.batch, options.repeats)
    print(f"forward of ResNet50, batch {options.batch}: {mine:.3f} s, by hand {other:.3f} s, ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
