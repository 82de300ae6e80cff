"""One process of several that save a network in parts and go on from that; each writes what memory it took, as JSON."""

import json
import sys
import threading
from pathlib import Path

import torch
from torch import nn

from rmldnn.engine import states
from rmldnn.engine.compute import Compute
from rmldnn.engine.interface import open_engine
from rmldnn.engine.zero import Zero
from rmldnn.steps import Batch

WIDTH, DEPTH, SHARD = 1024, 16, 2**23


def memory():
    """Bytes of this process that are of no file, whose pages the system takes back when it needs them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024


def taken(work):
    """The most memory that some work takes on top of what is there, and what it gives."""
    seen, over = [memory()], threading.Event()

    def watch():
        while not over.wait(0.002):
            seen.append(memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    result = work()
    over.set()
    watcher.join()
    return max(seen) - seen[0], result


def main(folder):
    with open_engine(zero=Zero(3, bucket_size=WIDTH * WIDTH), timeout=60) as engine:
        network = nn.Sequential(*(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(DEPTH)))
        optimizer = torch.optim.Adam(network.parameters())
        run = engine.prepare(network, optimizer, Compute())

        def objective(batch):
            return engine.total(run(batch.inputs).square().sum())

        def save():
            parts = {"network": engine.weights(network), "engine": engine.state_dict()}
            return states.save(engine, folder, 1, 0, parts, {}, shard_size=SHARD)

        def resume():
            state = states.newest(engine, folder)
            engine.load_weights(network, state.load("network"))
            engine.load_state_dict(state.load("engine"))

        engine.learn(objective, [Batch(["a"], torch.ones(1, WIDTH), None, engine.rank, engine.world)])
        saving, place = taken(save)
        resuming, _ = taken(resume)
        whole = sum(path.stat().st_size for path in place.iterdir())
        result = {"whole": whole, "saving": saving / whole, "resuming": resuming / whole}
        (folder / f"{engine.rank}.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
