"""Inference whose predictions of slices are put together: who predicts which slices, and who writes where.

Processes on one machine that only predict share out the volume: each predicts its part and writes it by itself, and
none waits for another before the end; after a kill each goes on where it was. Where outputs are also compared with
targets or written one by one, which asks for all of them, or where processes do not see the same pages of a file,
batches are shared out as in training, the first process writes, and a run that was killed starts anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from rmldnn.data.loader import Loader
from rmldnn.data.slices import Sliced
from rmldnn.engine.agreement import Unsaved
from rmldnn.engine.checkpoint import fingerprint
from rmldnn.engine.compute import Compute
from rmldnn.engine.evaluation import evaluate
from rmldnn.engine.interface import Engine
from rmldnn.engine.leaving import Leave
from rmldnn.engine.local import LocalEngine
from rmldnn.networks.network import Network
from rmldnn.output.assembly import Assembly, Crew
from rmldnn.output.predictions import Predictions
from rmldnn.steps import Step
from rmldnn.tasks.task import Task


def steps(
    engine: Engine,
    task: Task,
    network: Network,
    test: Loader,
    predictions: Predictions,
    compute: Compute,
    leave: Leave,
) -> tuple[Iterator[Step], Sequence[Assembly | Unsaved]]:
    """The steps of an inference, and who puts their predictions together in this process and leaves when told to.

    Args:
        engine: Where and with whom to compute.
        task: What to compare outputs with targets by.
        network: The network.
        test: The slices.
        predictions: Where to put them.
        compute: How to compute.
        leave: Whether the run is to leave.

    Raises:
        RmldnnError: There is no room for the file.
    """
    ready = engine.prepare(network, compute=compute)
    slices, num_channels = _slices(test), _num_channels(network, test)
    if not shared_out(engine, test, predictions):
        writers = [predictions.assembly(slices, num_channels)] if engine.rank == 0 else []
        return evaluate(engine, task, ready, test, want_predictions=True), [*writers, Unsaved(engine, leave)]

    def agree(number: int) -> int:
        return int(engine.total(torch.tensor(number, device=engine.device)))

    crew = Crew(engine.rank, engine.world, agree)
    assembly = predictions.assembly(slices, num_channels, crew, _work(network, test))
    unsaved = Unsaved(engine, leave, apart=True)
    if engine.world > 1:
        engine, test = LocalEngine(engine.device), test.alone(*assembly.part)
        ready = engine.prepare(network, compute=compute)
    return evaluate(engine, task, ready, test, want_predictions=True, seen=assembly.first), [unsaved, assembly]


def shared_out(engine: Engine, test: Loader, predictions: Predictions) -> bool:
    """Whether each process predicts a part of the volume by itself, without targets or outputs one by one."""
    return test.dataset.targets is None and not predictions.by_sample and engine.local_world == engine.world


def at_the_end(predictions: Predictions, network: Network, test: Loader) -> Assembly:
    """Who puts together the predictions of the last epoch of a training, in the process that writes.

    Raises:
        RmldnnError: There is no room for the file.
    """
    return predictions.assembly(_slices(test), _num_channels(network, test))


def _slices(test: Loader) -> Sliced:
    slices = test.dataset.slices
    assert slices is not None  # noqa: S101 - the check of the configuration has seen it
    return slices


def _work(network: Network, test: Loader) -> str:
    """A text that differs wherever predictions would: network, weights, and what is done to samples."""
    inputs = test.dataset.inputs
    return "\n".join(
        [fingerprint(network), str(network), network.code, str(test.dataset.transforms), str(inputs.affine)]
    )


def _num_channels(network: Network, test: Loader) -> int:
    """The channels of a prediction; where the network's shapes do not say them, those of the first one."""
    shape = network.output_shapes[0]
    found = shape[1 if network.channels_first else -1]
    if found is not None:
        return found
    network.eval()
    with torch.inference_mode():
        return int(network(test.sample().inputs).shape[1])
