"""Fetches MNIST into mnist/ (12 MB); with --stand-in, makes a small set of the same form without a network connection.

The stand-in is scikit-learn's 1797 handwritten digits of 8 x 8 pixels (CC BY 4.0), enlarged to 20 x 20 in the middle of
28 x 28 pixels, as MNIST has them. Every fifth is a test picture.
"""

from __future__ import annotations

import argparse
import gzip
import struct
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SERVER = "https://ossci-datasets.s3.amazonaws.com/mnist/"
FILES = {  # with their MD5
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}


def download(folder: Path) -> None:
    """Fetches the four files."""
    from rmldnn.data.fetch import fetch

    for name, md5 in FILES.items():
        print(fetch(SERVER + name, folder / name, md5=md5))


def stand_in(folder: Path) -> None:
    """Writes scikit-learn's digits under the names of MNIST's files."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = (digits.images * (255 / 16)).round().astype(np.uint8)
    large = np.stack([np.pad(cv2.resize(one, (20, 20), interpolation=cv2.INTER_CUBIC), 4) for one in pixels])
    test = np.arange(len(large)) % 5 == 4
    folder.mkdir(exist_ok=True)
    for part, chosen in (("train", ~test), ("t10k", test)):
        write(folder / f"{part}-images-idx3-ubyte.gz", large[chosen])
        write(folder / f"{part}-labels-idx1-ubyte.gz", digits.target[chosen].astype(np.uint8))
    print(f"{len(large)} pictures in {folder}/")


def write(path: Path, array: NDArray[np.uint8]) -> None:
    """Writes an IDX file: a magic number that tells type and axes, the extents, the bytes."""
    header = struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes(), mtime=0))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stand-in", action="store_true", help="make a small set instead of fetching")
    make = stand_in if parser.parse_args().stand_in else download
    make(Path("mnist"))
