"""The time of an update on any number of nodes, from what one process was seen to do.

An update of P processes takes the time of its slowest one to compute, and what of the exchange of gradients does not
hide behind the backward pass. docs/scaling.md has the formulas and their limits. Times are seconds, sizes bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal, TypeAlias

Algorithm: TypeAlias = Literal["auto", "ring", "tree"]

PARTS = {
    "computation": "computing",
    "fixed": "fixed time",
    "uneven": "uneven shares",
    "communication": "communication",
    "exchanges": "small exchanges",
    "waiting": "stragglers",
    "data": "loading",
}
"""What the time of an update is made of, and how people call it."""


@dataclass(frozen=True)
class Measured:
    """What one process was seen to do with a batch.

    Args:
        per_sample: Seconds for each sample, forward and backward.
        fixed: Seconds for each batch besides, however small it is.
        update: Seconds of the optimizer's step.
        backward: The part of `per_sample` and `fixed` that is the backward pass.
        ready: For each parameter, in the order in which their gradients come: when that is, as a part of the backward
            pass, and the bytes of the gradient.
        exchanges: Sums over all processes that a batch needs besides its gradient, a few numbers each.
        deviation: Standard deviation of the time of a batch, as a part of it.
        loading: Samples that can be read in a second; infinite if nobody knows.
        ahead: Whether they are read while others are learned from.
        start: Seconds until an epoch has its first batch.
    """

    per_sample: float
    fixed: float = 0.0
    update: float = 0.0
    backward: float = 2 / 3
    ready: Sequence[tuple[float, int]] = ()
    exchanges: int = 1
    deviation: float = 0.0
    loading: float = math.inf
    ahead: bool = True
    start: float = 0.0

    @property
    def gradient(self) -> int:
        """Bytes of the gradient."""
        return sum(size for _, size in self.ready)


@dataclass(frozen=True)
class Machine:
    """The nodes, and what is between processes.

    Args:
        processes: Processes on a node.
        bandwidth: Bytes a second that a node sends to others.
        latency: Seconds that a message between nodes takes, however short.
        local_bandwidth: Bytes a second between processes of a node.
        local_latency: Seconds of a message between them.
        algorithm: How sums are taken between nodes; `auto` is the faster one, as NCCL chooses.
    """

    processes: int = 1
    bandwidth: float = 10e9
    latency: float = 5e-6
    local_bandwidth: float = 50e9
    local_latency: float = 5e-6
    algorithm: Algorithm = "auto"


@dataclass(frozen=True)
class Method:
    """How a run learns.

    Args:
        stage: ZeRO stage.
        overlap: Whether gradients are sent while others are still computed.
        bucket: Bytes that are sent at once.
        accumulate: Batches to an update.
        first: Bytes of the first bucket, where those are less.
    """

    stage: int = 0
    overlap: bool = False
    bucket: float = 26e6
    accumulate: int = 1
    first: float = math.inf


@dataclass(frozen=True)
class Prediction:
    """An update on some nodes.

    Args:
        nodes: How many.
        processes: Of all of them.
        batch: Samples of a batch over all processes.
        share: Samples of the process that has most.
        parts: Seconds of an update, by what they are spent on; see `PARTS`.
        efficiency: Samples a second for each node, as a part of those of one node.
        limit: The part that takes most of what is missing to all; empty where nothing does.
        samples: Samples of an update over all processes.
    """

    nodes: int
    processes: int
    batch: int
    share: int
    parts: Mapping[str, float]
    efficiency: float = 1.0
    limit: str = ""
    samples: int = 0

    @property
    def seconds(self) -> float:
        """Of an update."""
        return sum(self.parts.values())

    @property
    def rate(self) -> float:
        """Samples a second over all processes."""
        return self.samples / self.seconds

    def epoch(self, count: int, start: float = 0.0) -> float:
        """Seconds of an epoch of so many samples, which begins with waiting for its first batch."""
        return -(-count // self.samples) * self.seconds + start


def ring(size: float, count: int, bandwidth: float, latency: float) -> float:
    """Seconds until all have the sum: 2(P-1) messages of a P-th each (Patarasuk and Yuan 2009)."""
    return 2 * (count - 1) * (size / count / bandwidth + latency)


def tree(size: float, count: int, bandwidth: float, latency: float) -> float:
    """Seconds until all have the sum, up and down two trees, piece by piece (Sanders et al. 2009)."""
    return 0.0 if count == 1 else 2 * (size / bandwidth + math.ceil(math.log2(count)) * latency)


def all_reduce(machine: Machine, nodes: int, size: float) -> float:
    """Seconds until all processes have the sum: within nodes, and each part between them."""
    local = ring(size, machine.processes, machine.local_bandwidth, machine.local_latency)
    ways: dict[str, Callable[..., float]] = {"ring": ring, "tree": tree}
    chosen = ways.values() if machine.algorithm == "auto" else [ways[machine.algorithm]]
    return local + min(way(size, nodes, machine.bandwidth, machine.latency) for way in chosen)


def half(machine: Machine, nodes: int, size: float) -> float:
    """Seconds until each process has its part of the sum, or until all have the parts of all."""
    return all_reduce(replace(machine, algorithm="ring"), nodes, size) / 2


def slowest(count: int) -> float:
    """By how many standard deviations the slowest of some processes is expected to be over the mean (Blom 1958)."""
    return NormalDist().inv_cdf((count - 0.375) / (count + 0.25)) if count > 1 else 0.0


def buckets(ready: Iterable[tuple[float, int]], limit: float, first: float = math.inf) -> list[tuple[float, int]]:
    """When each bucket is full, and its bytes.

    Args:
        ready: When each gradient is there, and its bytes, in that order.
        limit: Bytes that a bucket holds before it is sent.
        first: The same of the first one, if that is less.
    """
    result: list[tuple[float, int]] = []
    held, last = 0, 0.0
    for moment, size in ready:
        held, last = held + size, moment
        if held >= (limit if result else min(first, limit)):
            result.append((last, held))
            held = 0
    return [*result, (last, held)] if held else result


def exposed(ready: Iterable[tuple[float, int]], backward: float, cost: Callable[[float], float]) -> float:
    """Seconds that buckets are under way behind the end of the backward pass; one is sent behind another.

    Args:
        ready: When each bucket is full, as a part of the backward pass, and its bytes.
        backward: Seconds of the backward pass.
        cost: Seconds that some bytes take.
    """
    end = 0.0
    for moment, size in ready:
        end = max(end, moment * backward) + cost(size)
    return max(0.0, end - backward)


def communication(measured: Measured, machine: Machine, method: Method, nodes: int, share: int) -> float:
    """Seconds of an update in which gradients, or weights, are under way and nothing is computed."""
    if nodes * machine.processes == 1:
        return 0.0
    batch = measured.fixed + measured.per_sample * share
    backward = measured.backward * batch
    full = buckets(measured.ready, method.bucket, method.first)
    size = measured.gradient

    def part(size: float) -> float:
        return half(machine, nodes, size)

    def whole(size: float) -> float:
        return all_reduce(machine, nodes, size)

    if method.stage == 0:
        return exposed(full, backward, whole) if method.overlap else sum(whole(each) for _, each in full)
    gradients = exposed(full, backward, part) if method.overlap else sum(part(each) for _, each in full)
    if method.stage < 3:
        times = method.accumulate if method.stage == 2 else 1
        return times * gradients + part(size)
    weights = sum(part(each) for _, each in full)
    if not method.overlap:
        return method.accumulate * (gradients + 2 * weights)
    # Weights come for the forward pass, and once more for the backward pass, while others are computed with.
    both = exposed(full, backward, lambda size: 2 * part(size))
    return method.accumulate * (max(0.0, weights - (batch - backward)) + both)


def update(measured: Measured, machine: Machine, method: Method, nodes: int, batch: int) -> Prediction:
    """An update on some nodes.

    Args:
        measured: What one process does.
        machine: The nodes.
        method: How the run learns.
        nodes: How many nodes.
        batch: Samples of a batch over all processes.
    """
    processes, times = nodes * machine.processes, method.accumulate
    share = -(-batch // processes)
    fair = batch / processes
    one = measured.fixed + measured.per_sample * share
    loading = 0.0 if math.isinf(measured.loading) else share / measured.loading
    alone = processes == 1
    parts = {
        "computation": times * measured.per_sample * fair,
        "uneven": times * measured.per_sample * (share - fair),
        "fixed": times * measured.fixed + measured.update,
        "communication": communication(measured, machine, method, nodes, share),
        "exchanges": 0.0 if alone else times * measured.exchanges * all_reduce(machine, nodes, 0),
        "waiting": slowest(processes) * measured.deviation * one * math.sqrt(times),
        "data": times * (max(0.0, loading - one) if measured.ahead else loading),
    }
    return Prediction(nodes, processes, batch, share, parts, samples=batch * times)


def predict(
    measured: Measured, machine: Machine, method: Method, nodes: Sequence[int], batch: int, *, weak: bool
) -> list[Prediction]:
    """Updates on some numbers of nodes, against one node.

    Args:
        measured: What one process does.
        machine: The nodes.
        method: How the run learns.
        nodes: How many nodes; one row each.
        batch: Samples of a batch on one node.
        weak: Whether the batch grows with the nodes; else they share it out.
    """
    first = update(measured, machine, method, 1, batch)
    result = []
    for count in nodes:
        now = update(measured, machine, method, count, batch * count if weak else batch)
        ideal = now.samples / (first.rate * count)
        scale = ideal / first.seconds
        lost = {name: seconds - first.parts[name] * scale for name, seconds in now.parts.items()}
        name = max(lost, key=lambda name: lost[name])
        limit = name if now.seconds > ideal / _GOOD else ""
        result.append(replace(now, efficiency=ideal / now.seconds, limit=limit))
    return result


_GOOD = 0.95
"""With a larger part of the ideal throughput nothing is said to limit it."""
