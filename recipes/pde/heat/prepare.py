"""Writes initial conditions of the heat equation: python prepare.py.

- states/{train,test}/<number>.npy: 1024 and 64 fields on 32 x 32 nodes that are 0 around, shape (1, 32, 32), float32.

Each is a sum of the products sin(m pi x) sin(n pi y), m and n from 1 to 4, with random weights, and 1 where it is
farthest from 0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

NODES, WAVES = 32, 4


def main() -> None:
    """Writes all fields; those that are already there are written again."""
    waves = np.sin(np.pi * np.arange(1, WAVES + 1)[:, None] * np.linspace(0, 1, NODES))
    for seed, (name, count) in enumerate({"train": 1024, "test": 64}.items()):
        random = np.random.default_rng(seed)
        folder = Path("states") / name
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(count):
            field = waves.T @ random.standard_normal((WAVES, WAVES)) @ waves
            np.save(folder / f"{index:04}.npy", (field / np.abs(field).max()).astype(np.float32)[None])
    print("initial conditions in states/")


if __name__ == "__main__":
    main()
