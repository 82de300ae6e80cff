"""One process of several that a test starts to normalise batches together; writes what came out of each case."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path

import torch
import torch.distributed as dist
from torch import fx, nn

from rmldnn.engine.batch_norm import Share, synchronize
from rmldnn.engine.recompute import recomputing
from rmldnn.networks.layers.normalization import BatchNorm

CHANNELS = 3
EXTENTS = (5, 4, 2)
STEPS = 2


def layer(case):
    """A layer of torch, or of ours if the case says what is special in it, with numbers of its own."""
    axes = case.get("axes", 2)
    if "ours" in case:
        keys = {"momentum": 0.25, "scale": True, "center": True, "fused": False, **case["ours"]}
        made = BatchNorm(CHANNELS, 1e-3, **keys)
    else:
        kind = {0: nn.BatchNorm1d, 1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[axes]
        made = kind(CHANNELS, affine=case.get("affine", True))
    for tensor in (*made.parameters(), made.running_mean, made.running_var):
        nn.init.uniform_(tensor, 0.5, 2.0)
    for parameter in made.parameters():
        parameter.requires_grad_(not case.get("fixed", False))
    return made


def numbers(case, rank=None):
    """Outputs, gradients and running statistics of some steps, with the whole batch or as one of the processes."""
    torch.manual_seed(0)
    shares, dtype = case.get("shares", [5, 3]), getattr(torch, case.get("dtype", "float64"))
    depth = case.get("depth", 1)
    network = nn.Sequential(*(layer(case) for _ in range(depth))).to(dtype).train(case.get("train", True))
    shape = (sum(shares), CHANNELS, *EXTENTS[: case.get("axes", 2)])
    share, mine = Share(twice=case.get("twice", False)), slice(None)
    if rank is not None:
        synchronize(network, share)
        mine = slice(sum(shares[:rank]), sum(shares[: rank + 1]))
    run = recomputing(fx.symbolic_trace(network)) if case.get("recompute") else network
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    seen = {"outputs": [], "inputs": [], "parameters": []}
    for _ in range(STEPS):
        x, factors = torch.randn(shape, dtype=dtype) + case.get("mean", 0.0), torch.randn(shape, dtype=dtype)
        x, factors = x[mine], factors[mine]
        count = len(x)
        share.empty = not count
        x = (x if count else x.new_zeros(1, *shape[1:])).requires_grad_()  # as an engine does it
        with torch.autocast("cpu", torch.bfloat16) if case.get("autocast") else nullcontext():
            y = run(x.bfloat16() if case.get("autocast") else x)[:count]
        gradients = torch.autograd.grad((y * factors).sum(), [x, *learning], create_graph=share.twice)
        if share.twice:  # and that of how long the gradient is
            length = gradients[0][:count].square().sum()
            gradients += torch.autograd.grad(length, [x, *learning], allow_unused=True, materialize_grads=True)
        seen["outputs"].append(y.detach())
        seen["inputs"] += [one.detach()[:count] for one in gradients if one.shape == x.shape]
        seen["parameters"] += [one.detach() for one in gradients if one.shape != x.shape]
    seen["statistics"] = list(network.buffers())
    return seen


def main(folder, rank, world, cases):
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world)
    torch.save([numbers(case, rank) for case in cases], folder / f"{rank}.pt")
    if rank == 0:  # and nobody else: who evaluates asks nobody
        torch.save(numbers({"train": False, "shares": [4, 0]}, rank), folder / "evaluated.pt")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4]))
