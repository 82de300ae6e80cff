"""Compares a classifier that begins with the in-painter's weights with one that begins with chance, over several seeds.

Usage: python compare.py [--seeds 5]

Trains both with a tenth of the labels, the in-painter anew for each seed, and writes the table of README.md.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def train(config: str, folder: Path, seed: int, *changes: str) -> Path:
    """Runs a configuration; returns where its outputs are."""
    places = [f"outfile={folder}/out.txt", f"checkpoints.save={folder}/model/", f"run_folder={folder}/run"]
    command = ["rmldnn", config, "--log=plain", f"seed={seed}", *places, *changes]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - nobody else's words
    return folder


def accuracy(folder: Path) -> float:
    """The accuracy after the last epoch: of `Epoch: 40  Loss: 0.2  Accuracy: 0.9`."""
    return float((folder / "out_test.txt").read_text().split()[-1])


def main(seeds: int) -> None:
    """Trains, and prints a table in Markdown."""
    found: dict[str, list[float]] = {"in-painting, then labels": [], "labels alone": []}
    with tempfile.TemporaryDirectory() as name:
        for seed in range(seeds):
            root = Path(name) / str(seed)
            quiet = f"data.test_output_path={root}/predictions"
            encoder = train("inpaint.json", root / "inpaint", seed, quiet) / "model" / "model_checkpoint_15.pt"
            transfer = train("config.json", root / "transfer", seed, f"checkpoints.load={encoder}", quiet)
            scratch = train("config.json", root / "scratch", seed, "~checkpoints.load", quiet)
            for values, folder in zip(found.values(), (transfer, scratch), strict=True):
                values.append(accuracy(folder))
            print(
                f"seed {seed}:", ", ".join(f"{way} {values[-1]:.3f}" for way, values in found.items()), file=sys.stderr
            )
    print("| | " + " | ".join(f"seed {seed}" for seed in range(seeds)) + " | mean | deviation |")
    print("|---" * (seeds + 3) + "|")
    for way, values in found.items():
        spread = statistics.stdev(values) if seeds > 1 else 0.0
        cells = [f"{value:.3f}" for value in (*values, statistics.mean(values), spread)]
        print(f"| {way} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="how many; 5 by default")
    main(parser.parse_args().seeds)
