"""One process that trains a network whose weights are large enough for a disk, there and in memory."""

import json
import sys
from pathlib import Path

import torch
import zero_run
from torch import nn

from rmldnn.engine.distributed import DistributedEngine
from rmldnn.engine.local import LocalEngine
from rmldnn.engine.ranks import Ranks
from rmldnn.engine.zero import Zero

WAYS = {
    "SGD": {},
    "Adam": {"optimizer": "Adam"},
    "LAMB": {"optimizer": "LAMB"},
    "accumulated": {"batch_size": 4, "compute": {"accumulate": 2, "gradient_clip": 0.5}},
    "begun": {"optimizer": "Adam", "epochs": 1, "save": "here"},
    "gone on": {"optimizer": "Adam", "epochs": 1, "load": "here"},
    "gone on elsewhere": {"optimizer": "Adam", "epochs": 1, "load": "there"},
}


def network():
    """Its largest weight takes 3 MiB; less than one is left in memory."""
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 1024), nn.Tanh(), nn.Linear(1024, 300), nn.Tanh(), nn.Linear(300, 2),
        nn.LogSoftmax(1),
    )  # fmt: skip


def main(folder):
    zero_run.NETWORKS["plain"] = network
    with DistributedEngine(Ranks(), zero=Zero(3, "nvme", str(folder / "nvme"))) as engine:
        sides = {"memory": LocalEngine(engine.device), "disk": engine}
        seen = {
            name: {side: zero_run.train(place, filled(way, side), folder) for side, place in sides.items()}
            for name, way in WAYS.items()
        }
        seen["files"] = [path.name for path in (folder / "nvme").rglob("*.swp")]
    seen["left"] = [path.name for path in (folder / "nvme").iterdir()]
    (folder / "seen.json").write_text(json.dumps(seen))


def filled(way, side):
    """The way with names of states."""
    names = {"here": side, "there": {"memory": "disk", "disk": "memory"}[side]}
    return {key: names.get(value, value) if key in ("save", "load") else value for key, value in way.items()}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
