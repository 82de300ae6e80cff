"""One process of several that train networks with random layers; rank 0 writes the losses of each as JSON."""

import json
import sys
from pathlib import Path

import torch
from small_run import Slices, digits

from rmldnn.engine.compute import Compute
from rmldnn.engine.distributed import DistributedEngine
from rmldnn.engine.interface import open_engine
from rmldnn.engine.loop import Learner, fit
from rmldnn.engine.progress import Progress
from rmldnn.engine.zero import Zero
from rmldnn.losses.adversarial import Wasserstein
from rmldnn.losses.nll import nll
from rmldnn.networks.compile import network
from rmldnn.networks.pair import Pair
from rmldnn.optimizers.alternating import Alternating
from rmldnn.optimizers.sgd import sgd
from rmldnn.steps import TrainStep
from rmldnn.tasks.gan import Adversaries
from rmldnn.tasks.supervised import Supervised

CONV = ("Conv2D", {"filters": 6, "kernel_size": 5, "strides": 2, "activation": "tanh"})
DROPOUT = ("Dropout", {"rate": 0.3})
END = (("Flatten", {}), ("Dense", {"units": 2, "activation": "log_softmax"}))
SEQUENCE = (("Reshape", {"target_shape": [28, 28]}), ("Dense", {"units": 6}))
GRU = {"units": 5, "dropout": 0.3, "recurrent_dropout": 0.3}
LAYERS = {
    "dropout": (CONV, DROPOUT, *END),
    "spatial": (CONV, ("SpatialDropout2D", {"rate": 0.3}), *END),
    "shared": (CONV, ("Dropout", {"rate": 0.3, "noise_shape": [1, None, None, 6]}), *END),
    "alpha": (CONV, ("AlphaDropout", {"rate": 0.3}), *END),
    "noise": (("GaussianNoise", {"stddev": 0.3}), CONV, ("GaussianDropout", {"rate": 0.3}), *END),
    "images": (
        ("RandomFlip", {}),
        ("RandomBrightness", {"factor": 0.2, "value_range": [-4, 4]}),
        ("RandomContrast", {"factor": 0.2, "value_range": [-4, 4]}),
        ("RandomCrop", {"height": 20, "width": 20}),
        CONV,
        *END,
    ),
    "sequences": (
        *SEQUENCE,
        ("TimeDistributed", {"layer": {"class_name": "Dropout", "config": {"rate": 0.3}}}),
        ("GRU", GRU),
        *END[1:],
    ),
    "attention": (*SEQUENCE, ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "dropout": 0.3}), *END),
    "normalised": (CONV, ("BatchNormalization", {}), DROPOUT, CONV, ("BatchNormalization", {}), DROPOUT, *END),
}


def net(layers, shape=(28, 28, 1)):
    """One layer after the other; attention is that of a sequence to itself."""
    torch.manual_seed(4)
    chain = [("InputLayer", {"batch_input_shape": [None, *shape]}), *layers]
    named = []
    for number, (kind, keys) in enumerate(chain):
        before = [[f"layer_{number - 1}", 0, 0, {}]] * (2 if kind == "MultiHeadAttention" else 1)
        layer = {"class_name": kind, "config": {"name": f"layer_{number}", **keys}}
        named.append({**layer, "inbound_nodes": [before] if number else []})
    return network(layers=named)


def adversaries():
    """A generator and a discriminator, both with dropout, and their task."""
    generator = net([("Dense", {"units": 784}), DROPOUT, ("Reshape", {"target_shape": [28, 28, 1]})], (4,))
    pair = Pair(generator, net([CONV, DROPOUT, ("Flatten", {}), ("Dense", {"units": 1})]))
    members = {name: sgd(part.parameters(), learning_rate=0.01) for name, part in pair.parts.items()}
    return pair, Adversaries(pair, Wasserstein(gradient_penalty=1.0)), Alternating(members)


def supervised(layers):
    model = net(layers)
    return model, Supervised(nll), sgd(model.parameters(), learning_rate=0.05, momentum=0.9)


def train(engine, case):
    """The losses of each step of two epochs."""
    inputs, targets = digits(17)  # batches of 8, 8 and 1: uneven, and smaller than the number of processes
    loader = Slices(inputs, targets, case.get("batch_size", 8), engine.rank, engine.world)
    layers = case["layers"]
    model, task, optimizer = adversaries() if layers == "gan" else supervised(LAYERS[layers])
    engine.place(model)
    compute = Compute(**case.get("compute", {})).on(engine.device, training=True)
    learner = Learner(engine.prepare(model, optimizer, compute), optimizer, None, compute.accumulate)
    steps = fit(engine, task, learner, loader, None, 2, progress=Progress(seed=3, rank=engine.rank))
    return [
        [step.loss.item(), *(loss.item() for loss in step.losses.values())]
        for step in steps
        if isinstance(step, TrainStep)
    ]


def main(folder, cases):
    with open_engine(timeout=60) as engine:
        results = []
        for case in cases:
            if isinstance(engine, DistributedEngine):
                engine.zero = Zero(case.get("zero", 0))
            results.append(train(engine, case))
        if engine.rank == 0:
            (folder / f"{engine.world}.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
