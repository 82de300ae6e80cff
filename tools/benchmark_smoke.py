"""Times rmldnn against a hand-written PyTorch script: same network, same pictures, same batches, same epochs.

Usage: python tools/benchmark_smoke.py [--repeats N] [--data FOLDER]

Whole process against whole process (start of Python to its exit, best of N, alternating), and training step against
training step (median over all steps after the first epoch, inside those same processes). Both sides decode the JPEGs
anew in every epoch, with OpenCV, and write down the loss of every step, with the same number of threads. The
pictures are drawn here: 200 + 20 of 28 x 28 pixels, two classes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

PLAIN = Path(__file__).parent / "plain_smoke.py"


def draw(folder: Path) -> None:
    """Writes rings and bars as small grey JPEGs: `training/{0,1}`, `testing/{0,1}`."""
    import cv2
    import numpy as np

    random = np.random.default_rng(0)
    for name, count in (("training", 100), ("testing", 10)):
        for label in (0, 1):
            (folder / name / str(label)).mkdir(parents=True)
            for index in range(count):
                image = random.integers(0, 25, (28, 28), dtype=np.uint8)
                x, y = (int(value) for value in random.integers(11, 17, 2))
                if label:
                    cv2.line(image, (x, 4), (28 - y, 24), 255, 2)
                else:
                    cv2.ellipse(image, (x, y), (6, 9), float(random.integers(0, 40)), 0, 360, 255, 2)
                cv2.imwrite(str(folder / name / str(label) / f"{index}.jpg"), image)


def configuration(epochs: int) -> dict[str, object]:
    """The run as rmldnn reads it; `plain_smoke.py` is its counterpart."""
    conv: dict[str, object] = {"kernel_size": [5, 5]}
    layers: list[tuple[str, dict[str, object]]] = [
        ("Conv2D", {"filters": 10, **conv, "batch_input_shape": [None, 28, 28, 1]}),
        ("MaxPooling2D", {"pool_size": [2, 2]}),
        ("Activation", {"activation": "relu"}),
        ("Conv2D", {"filters": 20, **conv}),
        ("SpatialDropout2D", {"rate": 0}),
        ("MaxPooling2D", {"pool_size": [2, 2]}),
        ("Activation", {"activation": "relu"}),
        ("Flatten", {}),
        ("Dense", {"units": 50}),
        ("Activation", {"activation": "relu"}),
        ("Dropout", {"rate": 0}),
        ("Dense", {"units": 2}),
        ("Activation", {"activation": "log_softmax"}),
    ]
    return {
        "neural_network": {
            "outfile": "out.txt",
            "num_epochs": epochs,
            "layers": [
                {"class_name": name, "config": {"name": f"layer{index}", **config}}
                for index, (name, config) in enumerate(layers)
            ],
            "data": {
                "input_type": "images",
                "target_type": "labels",
                "input_path": "./training/",
                "test_input_path": "./testing/",
                "batch_size": 16,
                "grayscale": True,
                "transforms": [{"resize": [28, 28]}],
            },
            "optimizer": {"type": "SGD", "learning_rate": 0.01, "momentum": 0.5},
            "loss": {"function": "NLL"},
        }
    }


def seconds(command: list[str], folder: Path, threads: int) -> float:
    """Wall time of one process."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


def step_seconds(table: Path, batches: int) -> float:
    """Median time from one step to the next, from the first column of a file of one row per step."""
    times = [float(row.split()[0]) for row in table.read_text().splitlines() if not row.startswith("#")]
    gaps = [
        later - earlier
        for index, (earlier, later) in enumerate(pairwise(times), start=1)
        if index > batches and index % batches  # not the first epoch, and no evaluation between two steps
    ]
    return statistics.median(gaps)


def main() -> None:
    """Prints one table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    options = parser.parse_args()
    rmldnn = [sys.executable, "-m", "rmldnn", "config.json"]
    plain = [sys.executable, str(PLAIN), str(options.epochs)]
    whole: dict[str, list[float]] = {"rmldnn": [], "plain": []}
    step: dict[str, list[float]] = {"rmldnn": [], "plain": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder)
        (folder / "config.json").write_text(json.dumps(configuration(options.epochs)))
        for repeat in range(options.repeats + 1):
            for side, command, table in (("rmldnn", rmldnn, "out_train.txt"), ("plain", plain, "plain_train.txt")):
                duration = seconds(command, folder, options.threads)
                if repeat:  # the first round fills the file cache
                    whole[side].append(duration)
                    step[side].append(step_seconds(folder / table, 13))
    result = {
        "whole_process": min(whole["rmldnn"]) / min(whole["plain"]),
        "training_step": min(step["rmldnn"]) / min(step["plain"]),
    }
    if options.json:
        print(json.dumps({**result, "seconds": {side: min(values) for side, values in whole.items()}}))
        return
    print(f"best of {options.repeats}, {options.epochs} epochs, {options.threads} thread(s)")
    print(f"{'':15}{'rmldnn':>12}{'plain torch':>14}{'ratio':>8}")
    for title, sides, ratio, unit in (
        ("whole process", whole, result["whole_process"], "s"),
        ("training step", step, result["training_step"], "ms"),
    ):
        scale = 1e3 if unit == "ms" else 1
        ours, theirs = (f"{min(sides[side]) * scale:.2f} {unit}" for side in ("rmldnn", "plain"))
        print(f"{title:15}{ours:>12}{theirs:>14}{ratio:>8.2f}")


if __name__ == "__main__":
    main()
