"""One process of a run that a test starts several of; rank 0 writes what it saw as JSON."""

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

import torch
from small_run import Slices, classifier, digits

from rmldnn.engine.checkpoint import checkpoints
from rmldnn.engine.evaluation import evaluate
from rmldnn.engine.interface import open_engine
from rmldnn.engine.loop import Learner, fit
from rmldnn.losses.nll import nll
from rmldnn.optimizers.adam import adam
from rmldnn.steps import EvalEnd, EvalStep, TrainEnd, TrainStep
from rmldnn.tasks.supervised import Supervised


def seen(step):
    """What a step says, in numbers."""
    if isinstance(step, TrainStep):
        return {"train": [step.epoch, step.batch, step.size], "values": [step.loss.item(), step.grad_norm.item()]}
    if isinstance(step, TrainEnd):
        return {"train end": step.epoch, "values": [step.loss.item()]}
    if isinstance(step, EvalStep):
        return {
            "eval": [step.epoch, step.batch, step.size],
            "values": [step.loss.item(), step.accuracy.item(), *step.predictions.flatten().tolist()],
            "names": list(step.names),
        }
    if isinstance(step, EvalEnd):
        return {"eval end": step.epoch, "values": [step.loss.item(), step.accuracy.item()]}
    return {"end": step.epoch, "values": []}


def main(folder, end_of_rank_1=""):
    with open_engine(timeout=60) as engine:
        inputs, targets = digits(33)  # batches of 16, 16 and 1: uneven, and smaller than the number of processes
        loader = Slices(inputs, targets, 16, engine.rank, engine.world)
        task = Supervised(partial(nll, weight=[0.3, 0.7]))
        # Each process starts with other weights, and in another memory format, to see that rank 0's prevail.
        network = engine.place(classifier(seed=engine.rank).to(memory_format=torch.channels_last))
        optimizer = adam(network.parameters(), learning_rate=0.002)
        saver = checkpoints(save=str(folder / "model")).saver(network) if engine.rank == 0 else None
        steps = []
        learner = Learner(engine.prepare(network, optimizer), optimizer)
        for step in fit(engine, task, learner, loader, loader, 2, want_predictions=True):
            if engine.rank == 1 and isinstance(step, TrainStep) and step.batch == 2:
                if end_of_rank_1 == "fails":
                    raise ValueError("one process fails")
                if end_of_rank_1 == "dies":
                    os.kill(os.getpid(), signal.SIGKILL)
            if saver is not None:
                saver.consume(step)
                steps.append(seen(step))
        evaluation = evaluate(engine, task, engine.prepare(network), loader, want_predictions=True)
        names = [name for step in evaluation for name in getattr(step, "names", ())]
        if engine.rank == 0:
            result = {
                "world": engine.world,
                "local_world": engine.local_world,
                "cores": engine.cores,
                "devices": list(engine.devices),
                "threads": torch.get_num_threads(),
                "deepspeed": "deepspeed" in sys.modules,
                "steps": steps,
                "names": names,
                "weights": [parameter.flatten().tolist() for parameter in network.parameters()],
            }
            (folder / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    os.environ.setdefault("TORCH_EXTENSIONS_DIR", sys.argv[1])  # where a compiled operator would show up
    main(Path(sys.argv[1]), *sys.argv[2:])
