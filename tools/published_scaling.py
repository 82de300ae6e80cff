"""Prints what the model of `rmldnn scale` says of the original's published runs; the tables of docs/scaling.md.

Usage: python tools/published_scaling.py

Both are 3-D U-Nets of which the original's figure `scaling.jpg` shows the minutes of an epoch. What the figure does not
say is assumed here, and the docs say so. Nothing else in rmldnn uses these numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from rmldnn.scaling.model import Machine, Measured, Method, update

GPU = {1: 99, 2: 50.7, 4: 26, 8: 12.8, 16: 7.3, 32: 3.6, 64: 1.8, 128: 1.0, 256: 0.55, 512: 0.33}
"""Minutes of an epoch by number of V100 GPUs, eight to a node; 13.6 million parameters."""
CPU = {1: 980, 2: 492, 4: 246, 8: 127, 16: 67.5, 32: 33, 64: 17, 128: 9}
"""Minutes of an epoch by number of processes, two to a node of EPYC 7742; 1.23 thousand million parameters."""

DEVIATION = 0.02
"""Of the time of a step, where processes have their processors for themselves."""
SHARE = 4
"""Samples of a process: a tutorial of the original learns with the GPU network from 16 on 4 GPUs."""
GPU_SAMPLE = 120 * 60 / 20 * 4 / 4455
"""Seconds of a sample on one V100, by the same tutorial: 20 epochs of 4455 samples in about 2 hours on 4 GPUs."""
BANDWIDTH = 10e9
"""Bytes a second between nodes: 100 Gb/s, less what is not data."""


def network(parameters: float, layers: int = 20) -> list[tuple[float, int]]:
    """A gradient that comes evenly during the backward pass."""
    return [((place + 1) / layers, int(4 * parameters / layers)) for place in range(layers)]


def epochs(
    counts: Sequence[int], measured: Measured, machine: Machine, samples: int, share: int = SHARE
) -> dict[int, float]:
    """Minutes of an epoch by number of processes, each with the same share of a batch."""
    result = {}
    for count in counts:
        here = min(count, machine.processes)  # the first node is filled first
        one = update(measured, replace(machine, processes=here), Method(bucket=math.inf), count // here, share * count)
        result[count] = one.epoch(samples, measured.start) / 60
    return result


def on_gpus() -> tuple[dict[int, float], dict[int, float], float]:
    """Minutes that nothing was fitted to, the same with seconds between epochs fitted to the last run, and those."""
    machine = Machine(8, BANDWIDTH)
    measured = Measured(GPU_SAMPLE, ready=network(13.6e6), deviation=DEVIATION)
    samples = round(GPU[1] * 60 / GPU_SAMPLE)
    plain = epochs([*GPU], measured, machine, samples)
    start = 60 * (GPU[512] - plain[512])
    return plain, epochs([*GPU], replace(measured, start=start), machine, samples), start


def on_cpus() -> tuple[dict[int, float], float]:
    """Minutes, and the seconds of a step of one process, fitted to the run of 16 processes."""
    machine = Machine(2, BANDWIDTH, local_bandwidth=10e9)

    def minutes(step: float) -> dict[int, float]:
        measured = Measured(step, ready=network(1.23e9), deviation=DEVIATION)
        taken = epochs([*CPU], measured, machine, 128 * 1000, share=1)  # only ratios count
        return {count: CPU[1] * each / taken[1] for count, each in taken.items()}

    low, high = 0.1, 1000.0
    for _ in range(60):  # the longer a step, the less the exchange counts
        middle = math.sqrt(low * high)
        low, high = (middle, high) if minutes(middle)[16] > CPU[16] else (low, middle)
    return minutes(low), low


def main() -> None:
    """Prints two tables in Markdown."""
    plain, fitted, start = on_gpus()
    print(f"GPUs: {GPU_SAMPLE:.3f} s a sample, {start:.1f} s between epochs\n")
    print("| GPUs | published | predicted | | with time between epochs | |\n|---:|---:|---:|---:|---:|---:|")
    for count, minutes in GPU.items():
        print(f"| {count} | {minutes:g} | {row(plain[count], minutes)} | {row(fitted[count], minutes)} |")
    minutes_of, step = on_cpus()
    print(f"\nCPUs: {step:.1f} s a step\n\n| processes | published | predicted | |\n|---:|---:|---:|---:|")
    for count, minutes in CPU.items():
        print(f"| {count} | {minutes:g} | {row(minutes_of[count], minutes)} |")


def row(predicted: float, published: float) -> str:
    """A prediction, and by how much it is off."""
    return f"{predicted:.3g} | {predicted / published - 1:+.0%}"


if __name__ == "__main__":
    main()
