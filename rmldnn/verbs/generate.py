"""`rmldnn generate`: data that is made instead of measured."""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rmldnn.data.diffusivity import diffusivity, modes
from rmldnn.disk import reason
from rmldnn.errors import ConfigError, RmldnnError
from rmldnn.verbs import parser

DESCRIPTION = """\
Makes maps of a diffusivity, the input of Poisson's equation: diffusivity_<number>.npy, shape (1, size, size[, size]).
Each is the exponential of a sum of smooth functions with weights drawn from -3 to 3. A map depends on nothing but seed
and number, so any number of processes makes the same bytes. The folder gets all maps at once, when the last is made.

  rmldnn generate diffusivity maps/train --num 4096 --size 32
  rmldnn generate diffusivity maps/test --num 64 --size 32 --seed 1
  rmldnn generate diffusivity maps64 --num 16384 --size 64 --dims 3 --procs 8"""

_CHUNKS = 8
"""Into which the work of each process is cut."""


def main(arguments: Sequence[str]) -> int:
    """Makes the maps; returns the exit code."""
    options = parser("generate", "diffusivity FOLDER [options]", DESCRIPTION)
    options.add_argument("what", choices=["diffusivity"], metavar="diffusivity", help="what to make")
    options.add_argument("out", metavar="FOLDER", help="where the maps go")
    options.add_argument("--num", type=_count(1), metavar="N", default=64, help="how many maps; 64 by default")
    options.add_argument("--size", type=_count(2), metavar="N", default=32, help="nodes along each axis; 32 by default")
    options.add_argument("--dims", type=int, choices=(2, 3), default=2, help="axes; 2 by default")
    options.add_argument("--terms", type=_count(1), metavar="N", default=4, help="terms of the sum; 4 by default")
    options.add_argument("--eta", type=_length, metavar="X", default=0.5, help="length of correlation; 0.5 by default")
    for axis in "yz":
        options.add_argument(
            f"--eta-{axis}", type=_length, metavar="X", help=f"the same along {axis}; as --eta if absent"
        )
    options.add_argument("--seed", type=_count(0), metavar="N", default=0, help="of the weights; 0 by default")
    options.add_argument("--procs", type=_count(1), metavar="N", default=1, help="processes; 1 by default")
    options.add_argument("--force", action="store_true", help="write into a folder that is not empty")
    given = options.parse_args(list(arguments))
    etas = [given.eta, given.eta_y or given.eta, given.eta_z or given.eta][: given.dims]
    axes = [modes(given.size, eta, given.terms) for eta in etas]
    folder = Path(given.out)
    _require_empty(folder, force=given.force)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as partial:
            _write_all(Path(partial), axes, given.seed, given.num, min(given.procs, given.num))
            for file in sorted(Path(partial).iterdir()):
                file.replace(folder / file.name)
    except OSError as error:
        raise RmldnnError(f"cannot write maps: {reason(error, folder)}") from error
    print(f"{given.num} maps of {' x '.join([str(given.size)] * given.dims)} nodes in {given.out}")
    return 0


def _write_all(folder: Path, axes: Sequence[NDArray[np.float64]], seed: int, num: int, procs: int) -> None:
    write = functools.partial(_write, folder, axes, seed)
    if procs == 1:
        for index in range(num):
            write(index)
        return
    with multiprocessing.get_context("spawn").Pool(procs) as pool:
        for _ in pool.imap_unordered(write, range(num), chunksize=-(-num // (_CHUNKS * procs))):
            pass


def _write(folder: Path, axes: Sequence[NDArray[np.float64]], seed: int, index: int) -> None:
    np.save(folder / f"diffusivity_{index}.npy", diffusivity(axes, seed, index))


def _require_empty(folder: Path, *, force: bool) -> None:
    """Refuses what is no folder, and a folder that holds something.

    Raises:
        ConfigError: It is so.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"`{folder}` is no folder; name another one")
    if not force and folder.is_dir() and any(folder.iterdir()):
        message = f"`{folder}` is not empty; name another folder, or replace files of the same names by --force"
        raise ConfigError(message)


def _count(least: int) -> Callable[[str], int]:
    def count(text: str) -> int:
        value = int(text) if text.isdigit() else -1
        if value < least:
            raise argparse.ArgumentTypeError(f"must be an integer of at least {least}, got {text}")
        return value

    return count


def _length(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number greater than 0, got {text}")
    return value
