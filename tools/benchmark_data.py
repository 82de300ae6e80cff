"""Measures the loader against the least work that the same data need: decoding JPEG files, reading windows of HDF5.

Usage: python tools/benchmark_data.py [--images N] [--size N] [--block N] [--rounds N] [--workers N ...] [--json]

Pictures: images/s of the loader from a folder, from shards that `rmldnn shard` wrote, preloaded, and from the cache,
against a loop over the same files that reads and decodes each with simplejpeg and drops it; in the process of the run
(0 workers), and in as many processes as the loader has workers. A batch, of 64, counts when it is assembled, of
integers, as it goes to the device; `finished` when it is scaled to float32 too, which is the device's work, but takes
the time of the same cores where the device is the CPU.

Slices: bytes/s of batches of eight 64 x 64 x 64 windows of an HDF5 block, against a loop of `dataset[window]` over the
same windows that keeps eight arrays. The loader also looks at every float, whether it is a finite number.

Contenders take turns in every round; rates are those of the best round of each, ratios the medians over all rounds. All
files are in the system's file cache, and torch has one thread for each process.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import operator
import os
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import cv2
import h5py
import numpy as np
import simplejpeg
import torch

from rmldnn.cli import main as rmldnn
from rmldnn.data.dataset import Data, data
from rmldnn.data.slicer import slicer
from rmldnn.data.sources.hdf5 import hdf5
from rmldnn.data.sources.images import images
from rmldnn.data.sources.webdataset import webdataset

Work: TypeAlias = Callable[[], object]
Bare: TypeAlias = Callable[[Sequence[Any]], None]
"""Works off some files or windows, and nothing else."""
Window: TypeAlias = tuple[slice, ...]


class Rate(NamedTuple):
    """How fast something is: in units per second, and as a ratio to the bare loop."""

    per_second: float
    ratio: float


WINDOW = 64
BATCH = 8
"""Windows of a batch."""
BLOCKS: dict[str, tuple[str, dict[str, Any]]] = {
    "contiguous float32": ("float32", {}),
    "contiguous int16": ("int16", {}),
    "chunks of float32": ("float32", {"chunks": (WINDOW // 2,) * 3}),
}
"""How blocks are stored."""


def draw(folder: Path, count: int, size: int) -> list[str]:
    """Writes pictures of smooth shapes under fine grain, which take about a bit for each number, as photographs do."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for number in range(count):
        shapes, grain = (
            cv2.resize(
                random.integers(0, 256, (cells, cells, 3), np.uint8), (size, size), interpolation=cv2.INTER_CUBIC
            )
            for cells in (9, size // 4)
        )
        (folder / f"{number:05d}.jpg").write_bytes(simplejpeg.encode_jpeg(shapes // 4 * 3 + grain // 4, 85, "BGR"))
    return sorted(str(path) for path in folder.iterdir())


def pack(folder: Path, pictures: Path) -> None:
    """Lets `rmldnn shard` write the pictures into shards."""
    layer = {"class_name": "Flatten", "config": {"name": "flat"}}
    config = {
        "layers": [layer],
        "data": {"input_type": "images", "target_type": "images", "test_input_path": str(pictures)},
        "loss": {"function": "MSE"},
    }
    (folder / "config.json").write_text(json.dumps({"neural_network": config}))
    with contextlib.redirect_stdout(io.StringIO()):
        if rmldnn(["shard", str(folder / "config.json"), "--out", str(folder / "shards")]):
            raise SystemExit("rmldnn shard failed")


def block(file: Path, extent: int, dtype: str, keys: dict[str, Any]) -> list[Window]:
    """Writes a block of random numbers; returns the windows of its slices."""
    numbers = np.random.default_rng(0).standard_normal((extent,) * 3, np.float32) * 1000
    with h5py.File(file, "w") as target:
        target.create_dataset("block", data=numbers.astype(dtype), **keys)
    corners = np.ndindex(*[extent // WINDOW] * 3)
    return [tuple(slice(at * WINDOW, (at + 1) * WINDOW) for at in corner) for corner in corners]


def decode(files: Sequence[str]) -> None:
    """Reads and decodes files."""
    for name in files:
        with open(name, "rb") as file:  # noqa: PTH123 - faster than that of a Path
            simplejpeg.decode_jpeg(file.read(), "BGR")


def read(path: Path, windows: Sequence[Window]) -> None:
    """Reads windows, each into an array; those of a batch are kept until the next."""
    arrays: deque[Any] = deque(maxlen=BATCH)
    with h5py.File(path) as file:
        dataset = file["block"]
        for window in windows:
            arrays.append(dataset[window])


def spread(bare: Bare, parts: Sequence[Any], workers: int) -> Work:
    """A bare loop over everything, shared out among as many processes as the loader has workers, or in one."""
    count = workers or 1
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("fork"))
    pool.submit(int).result()  # starts them
    return lambda: list(pool.map(bare, [parts[number::count] for number in range(count)]))


def delivered(opened: Data) -> Work:
    """One epoch of batches as they go to the device."""
    loader = opened.loader("test")

    def work() -> None:
        for _ in loader.gathered(1):
            pass

    return work


def finished(opened: Data) -> Work:
    """One epoch of batches as the network sees them."""
    loader = opened.loader("test")

    def work() -> None:
        for _ in loader.epoch(1):
            pass

    return work


def compared(contenders: dict[str, Work], rounds: int, amount: float) -> dict[str, Rate]:
    """Rates of an amount of work; the first round starts processes and fills caches, and does not count."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds + 1):
        for name, work in contenders.items():
            began = time.perf_counter()
            work()
            taken[name].append(time.perf_counter() - began)
    bare = taken["bare"][1:]
    return {
        name: Rate(amount / min(own[1:]), statistics.median(map(operator.truediv, bare, own[1:])))
        for name, own in taken.items()
    }


def pictures(folder: Path, files: Sequence[str], workers: int, rounds: int) -> dict[str, Rate]:
    """Images/s of the bare loop and of the loader."""
    source = str(Path(files[0]).parent)
    opened = {
        "folder": data(images, test_input_path=source, num_workers=workers),
        "shards": data(webdataset, test_input_path=str(folder / "shards"), num_workers=workers),
        "preload": data(images, test_input_path=source, num_workers=workers, preload=True),
        "cache": data(images, test_input_path=source, num_workers=workers, cache=True),
    }
    works: dict[str, Work] = {"bare": spread(decode, files, workers)}
    for name, each in opened.items():
        works |= {name: delivered(each), f"{name}, finished": finished(each)}
    return compared(works, rounds, len(files))


def slices(path: Path, windows: Sequence[Window], workers: int, rounds: int) -> dict[str, Rate]:
    """MiB/s of the bare loop and of the loader."""
    bare = spread(partial(read, path), windows, workers)  # first: within a process, HDF5 shares files and their caches
    cut = slicer(sizes=[WINDOW] * 3)
    opened = data(hdf5, slicers=[cut], test_input_path=str(path), test_batch_size=BATCH, num_workers=workers)
    works = {"bare": bare, "slices": delivered(opened)}
    with h5py.File(path) as file:
        size = len(windows) * WINDOW**3 * file["block"].dtype.itemsize / 2**20
    return compared(works, rounds, size)


def measured(options: argparse.Namespace) -> dict[str, dict[str, Rate]]:
    """All rates, by what is measured."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chdir(folder)  # where the cache goes
        files = draw(folder / "pictures", options.images, options.size)
        pack(folder, folder / "pictures")
        blocks = {
            kind: block(folder / f"{kind}.h5", options.block, dtype, keys) for kind, (dtype, keys) in BLOCKS.items()
        }
        for workers in options.workers:
            found[f"images/s, {workers} workers"] = pictures(folder, files, workers, options.rounds)
            for kind, windows in blocks.items():
                title = f"MiB/s, {kind}, {workers} workers"
                found[title] = slices(folder / f"{kind}.h5", windows, workers, options.rounds)
    return found


def main() -> None:
    """Prints rates and their ratios to the bare loops."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--size", type=int, default=224, help="height and width of the pictures")
    parser.add_argument("--block", type=int, default=448, help="extent of the block, a multiple of 64")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--json", action="store_true", help="print the ratios as JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = measured(options)
    if options.json:
        print(json.dumps({title: {name: rate.ratio for name, rate in of.items()} for title, of in found.items()}))
        return
    print(f"{options.images} pictures of {options.size} x {options.size}, {options.rounds} rounds")
    for title, of in found.items():
        print(f"\n{title}")
        for name, rate in of.items():
            print(f"  {name:20}{rate.per_second:>10,.0f}{rate.ratio:>8.2f}")


if __name__ == "__main__":
    main()
