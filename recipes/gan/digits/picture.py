"""Takes the pictures of this README from those that the runs have drawn last."""

from __future__ import annotations

import shutil
from pathlib import Path

TAKEN = {
    "picture.png": "samples/samples_*.png",
    "interpolation.png": "samples/interpolation_*.png",
    "classes.png": "conditional_samples/samples_*.png",
}
"""Each picture, and what of the runs it is a copy of; the last one is from `conditional.json`."""


def main() -> None:
    """Copies those of the last epochs; passes over a run that has not been made."""
    for picture, pattern in TAKEN.items():
        drawn = sorted(Path().glob(pattern), key=lambda path: int(path.stem.rpartition("_")[2]))
        if drawn:
            shutil.copyfile(drawn[-1], picture)
        print(f"{drawn[-1]} is now {picture}" if drawn else f"there is no {pattern} for {picture} yet")


if __name__ == "__main__":
    main()
