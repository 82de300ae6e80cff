"""Measures the throughput of training on a GPU as a ratio to the same network and loop in plain PyTorch.

Usage: python tools/benchmark_gpu.py [--seconds S] [--budget S] [--modes MODE ...] [--zero STAGE ...] [--device D]
                                     [--networks N ...] [--shrink N]

ResNet50 (batches of 64, 224 x 224 pixels) and a U-Net (16, 256 x 256) learn from images in the memory of the device,
in turns with the plain loop: same precision, memory format and fused optimizer. The plain loop writes no norm of the
gradient down, and weighs no batch. Modes that do not fit into the budget are left out. With `--zero` rmldnn learns by
DeepSpeed, in this one process, at each of these stages.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import torch
from benchmark_networks import ResNet50
from torch import Tensor, nn
from torch.nn import functional

from rmldnn.engine.compute import Compute, compute
from rmldnn.engine.interface import Engine
from rmldnn.engine.local import LocalEngine
from rmldnn.engine.loop import Learner, fit
from rmldnn.engine.ranks import Ranks
from rmldnn.engine.zero import Zero
from rmldnn.losses.nll import nll
from rmldnn.networks.compile import network
from rmldnn.networks.writing import write
from rmldnn.networks.zoo.plain_unet import unet2d
from rmldnn.networks.zoo.resnet import resnet50
from rmldnn.optimizers.sgd import sgd
from rmldnn.steps import Batch, TrainStep
from rmldnn.tasks.supervised import Supervised

MODES: dict[str, dict[str, Any]] = {
    "fp32": {"precision": "fp32"},
    "tf32": {"precision": "tf32"},
    "bf16": {"precision": "bf16"},
    "bf16-compile": {"precision": "bf16", "compile": True},
}
BLOCK = 10
"""Updates between two waits for the device."""
ROUNDS = 3
"""Turns of either side."""


class Classifier(ResNet50):
    """ResNet50 for the loss NLL."""

    def forward(self, x: Tensor) -> Tensor:
        """Log-probabilities of images (N, 3, 224, 224)."""
        return torch.log_softmax(self.head(self.blocks(self.stem(x)).mean((2, 3))), 1)


class UNet(nn.Module):
    """The U-Net of `rmldnn.networks.zoo.plain_unet` as one would write it by hand, for two classes."""

    def __init__(self, filters: int = 64, depth: int = 4) -> None:
        super().__init__()
        counts = [filters * 2**level for level in range(depth + 1)]
        pairs = zip([3, *counts], counts, strict=False)
        self.encoder = nn.ModuleList(double(inputs, count) for inputs, count in pairs)
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * count, count, 2, 2) for count in reversed(counts[:-1]))
        self.decoder = nn.ModuleList(double(2 * count, count) for count in reversed(counts[:-1]))
        self.final = nn.Conv2d(filters, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Log-probabilities (N, 2, H, W) of images (N, 3, H, W)."""
        sides = []
        for level, block in enumerate(self.encoder):
            x = block(functional.max_pool2d(x, 2) if level else x)
            sides.append(x)
        sides.pop()
        for up, block in zip(self.up, self.decoder, strict=True):
            x = block(torch.cat([up(x), sides.pop()], 1))
        return torch.log_softmax(self.final(x), 1)


def double(inputs: int, filters: int) -> nn.Sequential:
    """Two convolutions, each with its normalization."""
    layers: list[nn.Module] = []
    for channels in (inputs, filters):
        convolution = nn.Conv2d(channels, filters, 3, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(filters, eps=1e-3), nn.ReLU()]
    return nn.Sequential(*layers)


@dataclass
class Case:
    """A network both ways, and what it learns from."""

    graph: Any
    plain: Callable[[], nn.Module]
    batch: int
    extent: int
    masks: bool

    def data(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """One batch."""
        inputs = torch.rand(self.batch, 3, self.extent, self.extent, device=device)
        places = (self.extent, self.extent) if self.masks else ()
        return inputs, torch.randint(0, 2, (self.batch, *places), device=device)


class Endless:
    """A loader that gives the same batch again and again."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def __len__(self) -> int:
        return 1_000_000

    def remaining(self, seen: int) -> int:
        """All that is left."""
        return len(self) - seen // self.batch.size

    def turns(self) -> Endless:
        """One process has all turns."""
        return self

    def epoch(self, number: int, seen: int = 0) -> Iterator[Batch]:  # noqa: ARG002 - the loop's
        """The batches."""
        while True:
            yield self.batch


def ours(engine: Engine, case: Case, chosen: Compute, device: torch.device) -> Iterator[None]:
    """Updates by rmldnn."""
    model = engine.place(network(layers=write(case.graph)))
    optimizer = sgd(model.parameters(), learning_rate=0.001, momentum=0.9)
    learner = Learner(engine.prepare(model, optimizer, chosen), optimizer)
    inputs, targets = case.data(device)
    batch = Batch([str(place) for place in range(case.batch)], in_format(inputs, chosen), targets, 0, case.batch)
    for step in fit(engine, Supervised(nll), learner, Endless(batch), None, 1):
        if isinstance(step, TrainStep):
            yield None


def theirs(case: Case, chosen: Compute, device: torch.device) -> Iterator[None]:
    """Updates by a loop in plain PyTorch."""
    model: Any = case.plain().to(device)
    if chosen.channels_last:
        model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9, fused=True)
    if chosen.compile:
        model = torch.compile(model)
    inputs, targets = case.data(device)
    inputs = in_format(inputs, chosen)
    while True:
        with torch.autocast(device.type, chosen.autocast, enabled=chosen.autocast is not None):
            output = model(inputs)
        functional.nll_loss(output.float(), targets).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        yield None


def in_format(inputs: Tensor, chosen: Compute) -> Tensor:
    """Images as samples come: with their channels last."""
    return inputs.contiguous(memory_format=torch.channels_last) if chosen.channels_last else inputs


def rate(updates: Iterator[None], seconds: float, device: torch.device) -> float:
    """Updates in a second."""
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        for _ in range(BLOCK if device.type == "cuda" else 1):
            next(updates)
            count += 1
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return count / (time.perf_counter() - began)


def measure(
    engine: Engine, case: Case, keys: dict[str, Any], seconds: float, device: torch.device
) -> tuple[float, float, float]:
    """Images in a second of both, and the median of the ratios of neighbouring measurements."""
    chosen = compute(**keys).on(device, training=True)
    sides = [make(case, chosen, device) for make in (partial(ours, engine), theirs)]
    for side in sides:
        rate(side, seconds / 4, device)  # cuDNN tries its algorithms, torch.compile compiles
    pairs = [[rate(side, seconds / ROUNDS, device) for side in sides] for _ in range(ROUNDS)]
    mine, other = (case.batch * statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    return mine, other, statistics.median(one / two for one, two in pairs)


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="of a measurement of either side")
    parser.add_argument("--budget", type=float, default=110.0, help="seconds after which no further one begins")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=["bf16", "tf32", "bf16-compile"])
    parser.add_argument("--zero", nargs="+", type=int, choices=range(4), default=[], help="stages, by DeepSpeed")
    parser.add_argument("--networks", nargs="+", choices=["unet2d", "resnet50"], default=["unet2d", "resnet50"])
    parser.add_argument("--device", type=torch.device, default=torch.device("cuda", 0))
    parser.add_argument("--shrink", type=int, default=1, help="divides batches and extents, for a try on a CPU")
    options = parser.parse_args()
    shrink = options.shrink
    cases = {
        "unet2d": Case(
            unet2d(num_classes=2, input_shape=[None, None, 3], activation="log_softmax"),
            UNet,
            max(1, 16 // shrink),
            max(32, 256 // shrink // 16 * 16),
            masks=True,
        ),
        "resnet50": Case(
            resnet50(input_shape=[None, None, 3], activation="log_softmax"),
            Classifier,
            max(2, 64 // shrink),
            max(32, 224 // shrink // 32 * 32),
            masks=False,
        ),
    }
    name = torch.cuda.get_device_name(options.device) if options.device.type == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}; images in a second\n")
    print(f"{'network':10}{'mode':14}{'rmldnn':>9}{'by hand':>9}{'ratio':>7}", flush=True)
    began = time.perf_counter()
    with ExitStack() as stack:
        engine: Any = LocalEngine(options.device)
        if options.zero:
            from rmldnn.engine.distributed import DistributedEngine  # loads DeepSpeed's needs, seldom wanted

            engine = stack.enter_context(DistributedEngine(Ranks()))
        for mode, title, stage in product(options.modes, options.networks, options.zero or [None]):
            row = f"{title:10}{mode if stage is None else f'{mode} zero {stage}':14}"
            if time.perf_counter() - began > options.budget:
                print(f"{row}left out: the budget is used up")
                continue
            engine.zero = Zero(stage or 0)
            mine, other, ratio = measure(engine, cases[title], MODES[mode], options.seconds, options.device)
            print(f"{row}{mine:9.1f}{other:9.1f}{ratio:7.3f}", flush=True)


if __name__ == "__main__":
    main()
