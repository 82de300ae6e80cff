"""Writes sources of Helmholtz' equation: python prepare.py.

- sources/{train,test}/<number>.npy: 1024 and 64 fields on 32 x 32 nodes, shape (1, 32, 32), float32.

Each is a sum of the products sin(m pi x) sin(n pi y), m and n from 1 to 6, with random weights.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

NODES, WAVES = 32, 6
SIZE = 10.0
"""Of the weights; solutions are then of the order of 1."""


def main() -> None:
    """Writes all fields; those that are already there are written again."""
    waves = np.sin(np.pi * np.arange(1, WAVES + 1)[:, None] * np.linspace(0, 1, NODES))
    for seed, (name, count) in enumerate({"train": 1024, "test": 64}.items()):
        random = np.random.default_rng(seed)
        folder = Path("sources") / name
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(count):
            field = SIZE * waves.T @ random.standard_normal((WAVES, WAVES)) @ waves
            np.save(folder / f"{index:04}.npy", field.astype(np.float32)[None])
    print("sources in sources/")


if __name__ == "__main__":
    main()
