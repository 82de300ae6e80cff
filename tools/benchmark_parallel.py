"""Times training in two processes: against two runs that know nothing of each other, and against torch's DDP.

Usage: python tools/benchmark_parallel.py [--rounds N] [--batch N] [--width N] [--stages S ...] [--buckets N ...]
                                           [--link MBIT] [--json]

Two processes of one thread, each on a core of its own if there are two, learn with the same convolutional network
from random pictures, so many for each process, and take turns at all sides:

- alone: each process trains for itself, at the same time as the other, on the same cores and the same memory bus;
- ddp: a loop as one would write it by hand around `DistributedDataParallel`;
- zero 0, zero 1, ...: the engine of many processes, by ZeRO stage and numbers sent at once (`engine.bucket_size`);
  `zero 0, behind` sends everything behind the backward pass (`engine.overlap` false).

A round is one turn of each, in an order drawn anew; ratios are taken inside a round, so that what else the machine does
slows down both, and their median counts. Beside it stand the ratio of the fastest turns of either side, which other
programs disturbed least, and the ratio of processor time, in which waiting for each other does not count. Efficiency is
the throughput of both processes together over that of both alone.

With `--link` the processes are in network namespaces of their own, and what is between them passes so many Mbit/s each
way. That takes root, `ip` and `tc` (Debian: iproute2).
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from rmldnn.engine.distributed import DistributedEngine
from rmldnn.engine.interface import Engine
from rmldnn.engine.local import LocalEngine
from rmldnn.engine.ranks import Ranks
from rmldnn.engine.zero import Zero
from rmldnn.losses.nll import nll
from rmldnn.optimizers.sgd import sgd
from rmldnn.steps import Batch
from rmldnn.tasks.supervised import Supervised

PROCESSES = 2
STEPS = 1
"""Updates of a turn."""
WARM = 2
"""Turns that do not count."""
NETWORK = "10.213.78"
"""Of the two namespaces."""
Update = Callable[[], object]


def network(width: int = 64) -> nn.Module:
    """Six convolutions; 1.2 million parameters and 0.15 G multiply-adds for a picture, four times that at width 128."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    channels = 3
    for filters in (width, 2 * width, 4 * width):
        for _ in range(2):
            layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU()]
            channels = filters
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * 16, 10), nn.LogSoftmax(1))


def by_engine(engine: Engine, width: int, inputs: Tensor, targets: Tensor) -> Update:
    """An update as a run makes it: the loss of all processes, the norm of the gradient."""
    task = Supervised(nll)
    trained = engine.place(network(width))
    ready = engine.prepare(trained, sgd(trained.parameters(), learning_rate=1e-4, momentum=0.9))
    batch = Batch([""] * len(inputs), inputs, targets, 0, len(inputs) * engine.world)

    def objective(batch: Batch) -> Tensor:
        loss, _ = task.forward(ready, batch, engine.total)
        assert loss is not None
        return loss

    return lambda: engine.learn(objective, [batch])


def by_hand(width: int, inputs: Tensor, targets: Tensor) -> Update:
    """An update in the words of torch's documentation."""
    ready = DistributedDataParallel(network(width))
    optimizer = torch.optim.SGD(ready.parameters(), lr=1e-4, momentum=0.9)

    def update() -> None:
        optimizer.zero_grad()
        functional.nll_loss(ready(inputs), targets).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return update


def sides(engine: DistributedEngine, options: argparse.Namespace) -> dict[str, Update]:
    """Everything that is timed, by name."""
    generator = torch.Generator().manual_seed(engine.rank)
    inputs = torch.randn(options.batch, 3, 32, 32, generator=generator)
    what = options.width, inputs, torch.randint(0, 10, (options.batch,), generator=generator)
    made = {"alone": by_engine(LocalEngine(), *what), "ddp": by_hand(*what)}
    ways = {"zero 0": Zero(), "zero 0, behind": Zero(overlap=False)} if 0 in options.stages else {}
    for stage in options.stages:
        ways |= {f"zero {stage}, {size:,} numbers": Zero(stage, bucket_size=size) for size in options.buckets}
    for name, zero in ways.items():
        one = copy.copy(engine)  # the same processes
        one.zero = zero
        made[name] = by_engine(one, *what)
    return made


def work(rank: int, job: str, options: argparse.Namespace) -> None:
    """One of the processes; the first one prints what it measured."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) >= PROCESSES:
        os.sched_setaffinity(0, {cores[rank]})
    address = (f"{NETWORK}.1", 29500) if options.link else None
    engine = DistributedEngine(Ranks(rank, PROCESSES, rank, PROCESSES, address, job, threads=1))
    with engine:
        updates = sides(engine, options)
        names, order = list(updates), random.Random(0)
        times = torch.zeros(2, options.rounds, len(names), PROCESSES)
        for turn in range(-WARM, options.rounds):
            order.shuffle(names)
            for name in names:
                dist.barrier()
                start, busy = time.perf_counter(), time.process_time()
                for _ in range(STEPS):
                    updates[name]()
                taken = torch.tensor([time.perf_counter() - start, time.process_time() - busy])
                if turn >= 0:
                    times[:, turn, list(updates).index(name), rank] = taken / STEPS
        dist.all_reduce(times)
    if rank == 0:
        print(json.dumps({name: times[:, :, place].tolist() for place, name in enumerate(updates)}))


Times = dict[str, list[list[list[float]]]]
"""Seconds of an update by side: those that passed, and those of the processor; in each round those of both."""


def measure(link: int | None) -> Times:
    """Starts both processes."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, __file__, *sys.argv[1:], "--job", str(os.getpid()), "--rank"]
    apart: AbstractContextManager[list[list[str]]] = namespaces(link) if link else nullcontext([[]] * PROCESSES)
    with apart as inside:
        pair = [
            subprocess.Popen([*inside[rank], *command, str(rank)], env=environment, stdout=subprocess.PIPE, text=True)
            for rank in range(PROCESSES)
        ]
        said = [process.communicate()[0] for process in pair]
    if any(process.returncode for process in pair):
        raise SystemExit("a process failed")
    measured: Times = json.loads(said[0].splitlines()[-1])
    return measured


@contextmanager
def namespaces(rate: int) -> Iterator[list[list[str]]]:
    """Two namespaces and a link of so many Mbit/s; gives the words before a command that is to run in each."""
    names = [f"bench{os.getpid()}{end}" for end in "ab"]

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True)

    try:
        for name in names:
            ip("netns", "add", name)
        ip("link", "add", names[0], "type", "veth", "peer", "name", names[1])
        for number, name in enumerate(names, 1):
            ip("link", "set", name, "netns", name)
            ip("-n", name, "addr", "add", f"{NETWORK}.{number}/24", "dev", name)
            for device in (name, "lo"):
                ip("-n", name, "link", "set", device, "up")
            shaped = ["tbf", "rate", f"{rate}mbit", "burst", "256kb", "latency", "50ms"]
            ip("netns", "exec", name, "tc", "qdisc", "add", "dev", name, "root", *shaped)
        yield [["ip", "netns", "exec", name] for name in names]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False)


def ratios(measured: Times) -> dict[str, dict[str, float]]:
    """Efficiency and ratio to DDP, medians of the rounds, and half the distance of their quartiles."""
    result = {}
    alone = [PROCESSES / sum(1 / one for one in both) for both in measured["alone"][0]]
    ddp = [max(both) for both in measured["ddp"][0]]
    busy = {name: statistics.median(map(sum, times[1])) for name, times in measured.items()}
    for name, times in measured.items():
        if name == "alone":
            continue
        together = [max(both) for both in times[0]]
        efficiency = [theirs / ours for theirs, ours in zip(alone, together, strict=True)]
        ratio = [ours / theirs for ours, theirs in zip(together, ddp, strict=True)]
        result[name] = {
            "seconds": statistics.median(together),
            "efficiency": statistics.median(efficiency),
            "efficiency_spread": spread(efficiency),
            "efficiency_of_fastest": min(alone) / min(together),
            "efficiency_of_processor": busy["alone"] / busy[name],
            "to_ddp": statistics.median(ratio),
            "to_ddp_spread": spread(ratio),
            "to_ddp_of_fastest": min(together) / min(ddp),
            "to_ddp_of_processor": busy[name] / busy["ddp"],
        }
    return result


def spread(values: Sequence[float]) -> float:
    """Half the distance between the quartiles."""
    low, _, high = statistics.quantiles(values, n=4)
    return (high - low) / 2


def main() -> None:
    """Prints one table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="turns of every side (30)")
    parser.add_argument("--batch", type=int, default=32, help="pictures for each process (32)")
    parser.add_argument("--width", type=int, default=64, help="filters of the first layer (64)")
    parser.add_argument("--stages", type=int, nargs="*", default=[0, 1, 2, 3], help="ZeRO stages (all)")
    parser.add_argument("--buckets", type=int, nargs="*", default=[250_000, 6_500_000], help="numbers sent at once")
    parser.add_argument("--link", type=int, metavar="MBIT", help="Mbit/s between the processes; what the machine has")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.add_argument("--rank", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rank is not None:
        work(options.rank, options.job, options)
        return
    result = ratios(measure(options.link))
    if options.json:
        print(json.dumps(result))
        return
    print(f"{PROCESSES} processes of one thread, {options.batch} pictures each; medians of {options.rounds} rounds")
    both = f"{'fastest':>9}{'busy':>7}"
    print(f"{'':26}{'update':>9}{'efficiency':>18}{both}{'to DDP':>18}{both}")
    for name, side in result.items():
        cells = [f"{name:26}{side['seconds'] * 1e3:>6.0f} ms"]
        for key in ("efficiency", "to_ddp"):
            cells.append(f"{side[key]:>9.3f} +- {side[f'{key}_spread']:.3f}")
            cells.append(f"{side[f'{key}_of_fastest']:>9.3f}{side[f'{key}_of_processor']:>7.3f}")
        print("".join(cells))


if __name__ == "__main__":
    main()
