"""One process of several that save a state in shards; each writes what it saw, as JSON."""

import json
import resource
import sys
from pathlib import Path

import torch

from rmldnn.engine import states
from rmldnn.engine.interface import open_engine
from rmldnn.errors import CheckpointError, RmldnnError

SHARD = 8000
"""Bytes of a shard, in which two of the tensors have room."""


def parts():
    return {"network": {f"w{number}": torch.full((1000,), float(number)) for number in range(8)}, "engine": {}}


def said(work, error=RmldnnError):
    """How some work fails."""
    try:
        work()
    except error as raised:
        return str(raised)
    return ""


def main(folder):
    with open_engine(timeout=60) as engine:
        last = engine.rank == engine.world - 1

        def save(name, sample=0):
            own = {"run": {"epoch": 1}} if engine.rank == 0 else None
            return states.save(engine, folder / name, 1, sample, parts(), {}, own=own, shard_size=SHARD)

        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        if last:  # its disk is full, as far as it can tell
            resource.setrlimit(resource.RLIMIT_FSIZE, (SHARD // 2, before[1]))
        result = {"full": said(lambda: save("full"))}
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        result["apart"] = said(lambda: save(f"disk_of_{engine.rank}"))
        good, bad = save("good"), save("good", 8)
        if last:
            shard = bad / f"shard_{engine.rank}.pt"
            shard.write_bytes(shard.read_bytes().replace(b"\0\0\0\0", b"\0\0\1\0", 1))
        engine.everyone("")
        result["damaged"] = said(lambda: states.load(engine, bad), CheckpointError)
        state = states.newest(engine, folder / "good")
        found = state.load("network")
        same = [torch.equal(found[key], tensor) for key, tensor in parts()["network"].items()]
        result["newest"] = state.folder == good and all(same)
        (folder / f"{engine.rank}.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
