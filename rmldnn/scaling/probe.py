"""What a training step of a configuration costs on this machine, found out in a minute: the numbers of the model.

Every process learns by itself, all at the same time, on batches of a few sizes; the exchange between them is measured
alone. Nothing is written.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.distributed as dist

from rmldnn import training
from rmldnn.applications.application import Application
from rmldnn.config import translate
from rmldnn.config.instantiate import instantiate, opened_data
from rmldnn.data.dataset import Data
from rmldnn.engine.buckets import FIRST
from rmldnn.engine.compute import Compute
from rmldnn.engine.interface import Engine
from rmldnn.engine.local import LocalEngine
from rmldnn.engine.zero import Zero
from rmldnn.errors import ConfigError, Problem
from rmldnn.networks.network import Network
from rmldnn.scaling.batches import Loading, cut, invented, read
from rmldnn.scaling.model import Measured, Method
from rmldnn.scaling.updates import Updates, line, timed
from rmldnn.tasks.supervised import Supervised

_READING = 0.2
"""The part of the time that is spent on reading data."""
_SENT = 16_000_000
"""Bytes that are sent to find the bandwidth."""
_EXCHANGES = 7


@dataclass(frozen=True)
class Probed:
    """What was found out.

    Args:
        measured: The costs.
        method: How the configuration learns.
        batch: Samples of a batch over all processes of a node.
        count: Samples of the training set; 0 if it was not opened.
        points: Batch sizes that were tried, and the median seconds of an update.
        misfit: Largest deviation of a point from the straight line, as a part of it.
        exchange: Bytes a second and seconds of a message between the processes of this run; None if there is one.
        device: Where it was measured.
    """

    measured: Measured
    method: Method
    batch: int
    count: int
    points: Sequence[tuple[int, float]]
    misfit: float
    exchange: tuple[float, float] | None
    device: str


def probe(
    config: Mapping[str, Any],
    engine: Engine,
    seconds: float,
    processes: int,
    *,
    lenient: bool = False,
    synthetic: bool = False,
) -> Probed:
    """Measures; all processes of a run call it.

    Args:
        config: A composed configuration with a training.
        engine: This process among the others.
        seconds: How long to measure, about.
        processes: Processes of a node, which share a batch.
        lenient: Unknown keys of layers are warnings.
        synthetic: Takes random numbers in place of the training set, which is not opened.

    Raises:
        RmldnnError: What a run would end with too, or its optimizer takes as many steps as it likes.
    """
    nodes = translate.job(config)
    zero: Zero = instantiate(nodes["engine"])
    compute = zero.precise(instantiate(nodes["compute"])).on(engine.device, training=True)
    torch.manual_seed(config.get("seed", 0))
    application: Application = instantiate(nodes["task"])
    model = application.network(config, nodes, lenient=lenient)
    single = LocalEngine(engine.device)
    single.place(model)
    plain = replace(compute, accumulate=1)
    learner, _ = training.learner(single, application, model, config, nodes, plain, 1)
    if getattr(learner.optimizer, "needs_closure", False):
        message = "evaluates the loss as often as it needs to, which cannot be foreseen; take another one"
        raise ConfigError(Problem("optimizer", message))
    task = application.task(model, application.loss(model, nodes))
    if not isinstance(task, Supervised):
        raise ConfigError(Problem("task", f"the scaling of `{config['task']['type']}` cannot be foreseen"))
    step = Updates(single, task, learner)
    data: Data | None = None
    size = config["data"]["batch_size"]
    if not synthetic:
        data = opened_data(config)
        if size == "auto":
            size = training.batch_size(engine, task, model, compute, data, None)
    share = 1 if size == "auto" else -(-int(size) // processes)
    if data is None:
        batch, loading = invented(model, task, share, engine.device), Loading()
    else:
        kept = config["data"].get("preload") or config["data"].get("cache")
        batch, loading = read(replace(data, batch_size=share * engine.world), engine, seconds * _READING, kept=kept)
        assert data.train is not None  # noqa: S101 - the probe is of a training
        arrays = data.train.inputs.source.meaning == "values"
        model.check_input(batch.inputs.shape, arrays=arrays, sizes=data.train.sizes)
    single.evaluating(False)
    tried, deviation = timed(engine, step, batch, share, seconds * (1 - _READING))
    phases = step.phases(cut(batch, tried[-1][0]))
    fixed, per_sample, misfit = line(tried)
    measured = Measured(
        per_sample,
        max(0.0, fixed - phases.update),
        phases.update,
        phases.backward,
        phases.ready,
        phases.exchanges + _of_batch_normalisation(model, compute),
        deviation,
        loading.rate,
        loading.ahead,
        loading.start,
    )
    method = Method(
        zero.stage,
        zero.overlapping or (zero.stage > 0 and zero.overlap and engine.device.type == "cuda"),
        4.0 * zero.bucket_size if zero.stage or zero.overlapping else math.inf,  # DeepSpeed sends all at once
        compute.accumulate,
        math.inf if zero.stage else 4.0 * FIRST,
    )
    count = len(data.train) if data is not None and data.train is not None else 0
    exchange = _exchange(engine) if engine.world > 1 else None
    name = torch.cuda.get_device_name(engine.device) if engine.device.type == "cuda" else f"CPU, {_threads()}"
    return Probed(measured, method, share * processes, count, tried, misfit, exchange, name)


def _threads() -> str:
    """Threads of this process, in words."""
    threads = torch.get_num_threads()
    return f"{threads} thread{'s' if threads > 1 else ''}"


def _of_batch_normalisation(model: Network, compute: Compute) -> int:
    """Exchanges that batch normalisation over all processes needs: one each way for each layer."""
    layers = [module for module in model.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    return 2 * len(layers) if compute.sync_batchnorm else 0


def _exchange(engine: Engine) -> tuple[float, float]:
    """Bytes a second and seconds of a message, which a sum over the processes of this run takes; see `model.ring`."""

    def seconds(numbers: int) -> float:
        tensor = torch.zeros(numbers, device=engine.device)
        return statistics.median(_timed(lambda: dist.all_reduce(tensor), engine) for _ in range(_EXCHANGES))

    short, long = seconds(1), seconds(_SENT // 4)
    messages = 2 * (engine.world - 1)
    rate = messages / engine.world * _SENT / max(long - short, long / 2)
    return statistics.fmean(engine.everyone(rate)), statistics.fmean(engine.everyone(short)) / messages


def _timed(exchange: Callable[[], object], engine: Engine) -> float:
    dist.barrier()
    start = time.perf_counter()
    exchange()
    if engine.device.type == "cuda":
        torch.cuda.synchronize(engine.device)
    return time.perf_counter() - start
