"""One process of several that train the same small network in many ways; rank 0 writes what each gave as JSON."""

import json
import sys
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from small_run import Slices, digits
from torch import fx, nn

from rmldnn.engine import states
from rmldnn.engine.compute import Compute
from rmldnn.engine.distributed import DistributedEngine
from rmldnn.engine.interface import open_engine
from rmldnn.engine.loop import Learner, fit
from rmldnn.engine.zero import Zero
from rmldnn.losses.nll import nll
from rmldnn.optimizers.adagrad import adagrad
from rmldnn.optimizers.adam import adam
from rmldnn.optimizers.hessian import hessian
from rmldnn.optimizers.lamb import lamb
from rmldnn.optimizers.lars import lars
from rmldnn.optimizers.sgd import sgd
from rmldnn.steps import EvalEnd, TrainStep
from rmldnn.tasks.supervised import Supervised

SHARD = 4000
"""Bytes of a file of a state, which has several then."""
OPTIMIZERS = {
    "SGD": partial(sgd, learning_rate=0.05, momentum=0.9),
    "Adam": partial(adam, learning_rate=0.002, eps=1e-3),
    "LARS": partial(lars, learning_rate=1.0, eta=0.02, momentum=0.9),
    "LAMB": partial(lamb, learning_rate=0.01, eps=1e-3),
    "Newton": partial(hessian, method="newton-cg", max_iterations=2),
    "Adagrad": partial(adagrad, learning_rate=0.01),
}


def network():
    """Batch normalisation sits where no bias goes before it, whose gradient would be nothing but rounding."""
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, bias=False), nn.BatchNorm2d(6), nn.AvgPool2d(4), nn.Tanh(), nn.Conv2d(6, 8, 3, bias=False),
        nn.BatchNorm2d(8), nn.Tanh(), nn.Flatten(), nn.Linear(128, 5), nn.Tanh(), nn.Linear(5, 2), nn.LogSoftmax(1),
    )  # fmt: skip


class Partly(nn.Module):
    """A network with one layer that nobody uses, one that only the first process does, and one that does not learn."""

    def __init__(self):
        super().__init__()
        self.network = network()
        self.network[0].requires_grad_(False)
        self.first, self.nobodys = nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, inputs):
        outputs = self.network(inputs)
        return outputs if dist.get_rank() else outputs + 0.1 * self.first(outputs)


NETWORKS = {"plain": network, "traced": lambda: fx.symbolic_trace(network()), "partly": Partly}


def train(engine, case, folder):
    """Losses of two epochs: each step's, and the evaluation's."""
    inputs, targets = digits(25)  # batches of 8, 8, 8 and 1: smaller than the number of processes
    loader = Slices(inputs, targets, case.get("batch_size", 8), engine.rank, engine.world)
    trained = engine.place(NETWORKS[case.get("network", "plain")]())
    optimizer = OPTIMIZERS[case.get("optimizer", "SGD")](trained.parameters())
    compute = Compute(**case.get("compute", {})).on(engine.device, training=True)
    task = Supervised(partial(nll, weight=[0.3, 0.7]))
    learner = Learner(engine.prepare(trained, optimizer, compute), optimizer, None, compute.accumulate)
    if "load" in case:
        state = states.newest(engine, folder / case["load"])
        engine.load_weights(trained, state.load("network"))
        engine.load_state_dict(state.load("engine"))
    numbers = []
    for step in fit(engine, task, learner, loader, loader, case.get("epochs", 2)):
        if isinstance(step, TrainStep):
            numbers.append([step.loss.item(), float(step.grad_norm)])
        elif isinstance(step, EvalEnd):
            numbers.append([step.loss.item(), step.accuracy.item()])
    engine.evaluating(False)
    if "save" in case:
        parts = {"network": engine.weights(trained), "engine": engine.state_dict()}
        states.save(engine, folder / case["save"], 1, 0, parts, {}, shard_size=SHARD)
    return numbers


def main(folder, cases):
    with open_engine(timeout=60) as engine:
        results = []
        for case in cases:
            if isinstance(engine, DistributedEngine):
                offload = case.get("offload") if case.get("zero") else None
                engine.zero = Zero(case.get("zero", 0), offload=offload, **case.get("engine", {}))
            results.append(train(engine, case, folder))
        if engine.rank == 0:
            (folder / f"{engine.world}.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
