"""Kills a training at random instants, lets it go on each time, and compares the end with an undisturbed run.

Usage: python tools/chaos.py [--kills N] [--seed S] [--epochs N] [--ranks N]

The training is that of the digits recipe with dropout, a running mean of the weights and a schedule, on one thread;
its state is saved every 0.1 seconds, so that many kills fall into a save. Kills are SIGKILL, and every fifth SIGTERM,
which lets a run save and leave. Weights must be equal to the last bit, and log files line by line but for the times.
Of several processes, which no launcher watches over, one is killed, and the others must end within 90 seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

RECIPE = Path(__file__).parent.parent / "recipes" / "classification" / "digits"
POLITE = 5
"""Every so many-th kill is a SIGTERM."""
LATE, FAR = 0.8, 0.2
"""How many of the kills come after a state is saved, and how many seconds after it at most."""
STARTING = 3.0
"""Seconds within which the others come."""
BOUND = 90.0
"""Seconds in which the others end once one has been killed; at the start they look for it for some time first."""
TIMES: list[float] = []
"""Seconds that they took."""


def configuration(epochs: int) -> dict[str, object]:
    """The run, at the speed of a test."""
    content: dict[str, object] = json.loads((RECIPE / "config.json").read_text())["neural_network"]
    layers = [
        {"class_name": "Flatten", "config": {"name": "flatten", "batch_input_shape": [None, 8, 8, 1]}},
        {"class_name": "Dense", "config": {"name": "hidden", "units": 64, "activation": "relu"}},
        {"class_name": "Dropout", "config": {"name": "dropout", "rate": 0.3}},
        {"class_name": "BatchNormalization", "config": {"name": "norm"}},
        {"class_name": "Dense", "config": {"name": "output", "units": 10, "activation": "log_softmax"}},
    ]
    schedule = [
        {"type": "Warmup", "num_epochs": 2, "start_factor": 0.1, "verbose": False},
        {"type": "Cosine", "per": "step", "verbose": False},
    ]
    return {
        **content,
        "num_epochs": epochs,
        "layers": layers,
        "outfile": "out.txt",
        "run_folder": "run",
        "ema": 0.99,
        "gradient_clip": 1.0,
        "deterministic": True,
        "data": {**content["data"], "preload": False, "batch_size": 16, "num_workers": 0},  # type: ignore[dict-item]
        "optimizer": {"type": "Adam", "learning_rate": 2e-3, "lr_scheduler": schedule},
        "checkpoints": {
            "save": "./model/",
            "interval": 2,
            "keep": {"last": 3, "best": "test_accuracy"},
            "state_interval": 0.1,
        },
    }


def start(folder: Path, ranks: int, *options: str) -> list[subprocess.Popen[bytes]]:
    """The run as one process or several, as srun would start them."""
    job = secrets.token_hex(4)
    processes = []
    with (folder / "log.txt").open("a") as log:
        for rank in range(ranks):
            step = {"PROCID": rank, "STEP_NUM_TASKS": ranks, "LOCALID": rank, "STEP_NUM_NODES": 1, "JOB_ID": job}
            told = {f"SLURM_{name}": str(value) for name, value in step.items()} if ranks > 1 else {}
            command = [sys.executable, "-m", "rmldnn", "config.json", "--timeout", "20", *options]
            environment = {**os.environ, "OMP_NUM_THREADS": "1", **told}
            processes.append(
                subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, env=environment)
            )
    return processes


def ended(processes: Sequence[subprocess.Popen[bytes]], within: float | None = None) -> list[int]:
    """The exit codes of processes, once they have ended.

    Raises:
        SystemExit: They have not, so many seconds after the first.
    """
    while within and all(process.poll() is None for process in processes):
        time.sleep(0.01)
    begin = time.monotonic()
    while any(process.poll() is None for process in processes):
        if within and time.monotonic() - begin > within:
            for process in processes:
                process.kill()
            raise SystemExit(f"processes are alive {within} s after one of them has ended")
        time.sleep(0.01)
    TIMES.append(time.monotonic() - begin)
    return [process.returncode for process in processes]


def prepared(folder: Path, epochs: int) -> Path:
    """A folder with pictures and configuration."""
    folder.mkdir()
    subprocess.run([sys.executable, str(RECIPE / "prepare.py")], cwd=folder, check=True, capture_output=True)
    (folder / "config.json").write_text(json.dumps({"neural_network": configuration(epochs)}))
    return folder


def disturbed(folder: Path, kills: int, ranks: int, dice: random.Random) -> tuple[int, int, int]:
    """Runs, and kills so often; gives the number of kills, of starts that came to save a state, and of starts."""
    done = training = starts = 0
    while True:
        before = saved(folder)
        processes = start(folder, ranks, *(["--resume"] if starts else []))
        starts += 1
        if done < kills:
            if starts == 1 or dice.random() < LATE:
                while alive(processes) and saved(folder) == before:
                    time.sleep(0.001)
                time.sleep(dice.uniform(0.0, FAR))
            else:
                time.sleep(dice.uniform(0.0, STARTING))
            if alive(processes):
                done += 1
                victim = dice.choice(processes)
                victim.send_signal(signal.SIGTERM if done % POLITE == 0 else signal.SIGKILL)
        codes = ended(processes, BOUND if ranks > 1 else None)
        training += saved(folder) != before
        if not any(codes):
            return done, training, starts
        if not {-signal.SIGKILL, 128 + signal.SIGTERM} & set(codes):
            raise SystemExit(f"the run ended with {codes}:\n" + (folder / "log.txt").read_text()[-2000:])


def saved(folder: Path) -> tuple[int, ...]:
    """How far the furthest state is: epoch and samples; empty if there is none."""
    names = (path.name for path in (folder / "run" / "state").glob("epoch_*"))
    return max((tuple(map(int, re.findall(r"\d+", name))) for name in names), default=())


def alive(processes: Sequence[subprocess.Popen[bytes]]) -> bool:
    """Whether none of some processes has ended."""
    return all(process.poll() is None for process in processes)


def history(folder: Path) -> dict[str, list[str]]:
    """Lines of the log files without the times in them."""
    train = [line.split(maxsplit=1)[-1] for line in (folder / "out_train.txt").read_text().splitlines()]
    table = [row.split(",") for row in (folder / "run" / "history.csv").read_text().splitlines()]
    timed = [place for place, name in enumerate(table[0]) if "seconds" in name]
    lines = (folder / "run" / "history.jsonl").read_text()
    return {
        "out_train.txt": train,
        "out_test.txt": (folder / "out_test.txt").read_text().splitlines(),
        "history.csv": [",".join(cell for place, cell in enumerate(row) if place not in timed) for row in table],
        "history.jsonl": re.sub(r'"\w*seconds": [^,}]*', '""', lines).splitlines(),
    }


def weights(folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Weights of all checkpoints, by file."""
    files = sorted((folder / "model").iterdir())
    return {file.name: torch.load(file, weights_only=True)["model"] for file in files}


def main() -> None:
    """Prints a summary, and ends with 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--ranks", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        calm = prepared(Path(name, "calm"), options.epochs)
        if any(ended(start(calm, options.ranks))):
            raise SystemExit((calm / "log.txt").read_text()[-2000:])
        chaos = prepared(Path(name, "chaos"), options.epochs)
        kills, training, starts = disturbed(chaos, options.kills, options.ranks, random.Random(options.seed))
        one, other = weights(calm), weights(chaos)
        same = one.keys() == other.keys() and all(
            torch.equal(one[file][key], other[file][key]) for file in one for key in one[file]
        )
        logs, others = history(calm), history(chaos)
        print(f"{kills} kills in {starts} starts, of which {training} trained on; seed {options.seed}")
        if options.ranks > 1:
            print(f"{options.ranks} processes; the others ended within {max(TIMES[1:]):.1f} s")
        print(f"checkpoints {', '.join(one)}: {'equal to the last bit' if same else 'DIFFERENT'}")
        for file in logs:
            equal = logs[file] == others[file]
            print(f"{file}: {len(logs[file])} lines, {'no gap and no double line' if equal else 'DIFFERENT'}")
            same = same and equal
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
