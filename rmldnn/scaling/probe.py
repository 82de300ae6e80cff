"""What a training step of a configuration costs on this machine, found out in a minute: the numbers of the model.

Every process learns by itself, all at the same time, on batches of a few sizes; the exchange between them is measured
alone. Nothing is written.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from rmldnn import training
from rmldnn.applications.application import Application
from rmldnn.config import translate
from rmldnn.config.instantiate import instantiate, opened_data
from rmldnn.data.dataset import Data
from rmldnn.engine.buckets import FIRST
from rmldnn.engine.compute import Compute
from rmldnn.engine.interface import Engine
from rmldnn.engine.local import LocalEngine
from rmldnn.engine.loop import Learner
from rmldnn.engine.zero import Zero
from rmldnn.errors import ConfigError, Problem
from rmldnn.losses.reduction import alone
from rmldnn.losses.target import moved
from rmldnn.networks.network import Network
from rmldnn.scaling.model import Measured, Method
from rmldnn.steps import Batch
from rmldnn.tasks.supervised import Supervised

_LEAST, _MOST = 3, 200
"""Steps of one batch size that are timed."""
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
    step = _Step(single, task, learner)
    data: Data | None = None
    size = config["data"]["batch_size"]
    if not synthetic:
        data = opened_data(config)
        if size == "auto":
            size = training.batch_size(engine, task, model, compute, data, None)
    share = 1 if size == "auto" else -(-int(size) // processes)
    if data is None:
        batch, loading = _invented(model, task, share, engine.device), _Loading()
    else:
        kept = config["data"].get("preload") or config["data"].get("cache")
        batch, loading = _read(replace(data, batch_size=share * engine.world), engine, seconds * _READING, kept=kept)
        model.check_input(batch.inputs.shape, arrays=data.train.inputs.source.meaning == "values")  # type: ignore[union-attr]
    single.evaluating(False)
    points, deviation = _points(engine, step, batch, share, seconds * (1 - _READING))
    phases = step.phases(_cut(batch, points[-1][0]))
    fixed, per_sample, misfit = _line(points)
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
    name = torch.cuda.get_device_name(engine.device) if engine.device.type == "cuda" else f"CPU, {single_threads()}"
    return Probed(measured, method, share * processes, count, points, misfit, exchange, name)


def single_threads() -> str:
    """Threads of this process, in words."""
    threads = torch.get_num_threads()
    return f"{threads} thread{'s' if threads > 1 else ''}"


@dataclass(frozen=True)
class _Phases:
    """Of one update; see `Measured`."""

    update: float
    backward: float
    ready: Sequence[tuple[float, int]]
    exchanges: int


class _Step:
    """Learns by itself, and says how long that takes."""

    def __init__(self, engine: LocalEngine, task: Supervised, learner: Learner) -> None:
        self._engine, self._task, self._learner = engine, task, learner
        self._sums = 0
        self._forward = 0.0

    def __call__(self, batch: Batch) -> float:
        """Seconds of an update."""
        start = self._now()
        self._engine.learn(self._objective, [batch])
        return self._now() - start

    def phases(self, batch: Batch) -> _Phases:
        """What an update consists of, medians of a few."""
        seen = [self._once(batch) for _ in range(_LEAST)]
        middle = sorted(seen, key=lambda one: one.backward)[len(seen) // 2]
        return replace(middle, update=statistics.median(one.update for one in seen))

    def _once(self, batch: Batch) -> _Phases:
        marks: list[float] = []
        ready: list[tuple[float, int]] = []
        optimizer = self._learner.optimizer

        def arrived(parameter: Tensor) -> None:
            ready.append((self._now(), parameter.nbytes))

        hooks: list[Any] = [
            optimizer.register_step_pre_hook(lambda *_: marks.append(self._now())),
            optimizer.register_step_post_hook(lambda *_: marks.append(self._now())),
            *(
                parameter.register_post_accumulate_grad_hook(arrived)  # type: ignore[no-untyped-call]
                for parameter in self._learner.network.parameters()
                if parameter.requires_grad
            ),
        ]
        self._sums = 0
        start = self._now()
        self._engine.learn(self._objective, [batch])
        for hook in hooks:
            hook.remove()
        begun, ended = self._forward, max(moment for moment, _ in ready)
        length = max(ended - begun, 1e-9)
        parts = [((moment - begun) / length, size) for moment, size in ready]
        # An optimizer whose step was left out, as an overflow in fp16 does, has no marks.
        update = marks[-1] - marks[0] if len(marks) > 1 else 0.0
        return _Phases(update, length / max(ended - start, 1e-9), parts, self._sums)

    def _objective(self, batch: Batch) -> Tensor:
        loss, _ = self._task.forward(self._learner.network, batch, self._total)
        if loss is None:
            raise ConfigError(Problem("data.target_path", "is missing; training needs the targets that lie there"))
        self._forward = self._now()
        return loss

    def _total(self, tensor: Tensor) -> Tensor:
        self._sums += 1
        return alone(tensor)

    def _now(self) -> float:
        if self._engine.device.type == "cuda":
            torch.cuda.synchronize(self._engine.device)
        return time.perf_counter()


@dataclass(frozen=True)
class _Loading:
    """Of one process; see `Measured`."""

    rate: float = math.inf
    ahead: bool = True
    start: float = 0.0


def _read(data: Data, engine: Engine, seconds: float, *, kept: bool) -> tuple[Batch, _Loading]:
    """The first batch of this process, and how fast others come."""
    loader = data.loader("train", rank=engine.rank, world=engine.world, cores=engine.cores, device=engine.device)
    first = next(iter(loader.epoch(1)))  # which starts the processes that read
    targets = None if first.targets is None else moved(first.targets, engine.device).clone()
    batch = replace(first, inputs=first.inputs.clone(), targets=targets)
    if kept:  # is in memory, or in a file of numbers, from the first epoch on
        return batch, _Loading()
    begun = time.perf_counter()
    read, start, taken = 0, 0.0, 0.0
    for number, one in enumerate(loader.epoch(2)):
        taken = time.perf_counter() - begun
        if number:
            read += len(one.inputs)
        else:
            start = taken
        if taken > seconds:
            break
    if not read:
        read, start = len(one.inputs), 0.0
    rate = read / max(taken - start, 1e-9)
    # Processes that read take cores, of which a GPU needs few.
    apart = loader.num_workers > 0 and engine.device.type == "cuda"
    return batch, _Loading(rate, apart, start if loader.num_workers else 0.0)


def _invented(model: Network, task: Supervised, size: int, device: torch.device) -> Batch:
    """Random inputs of the network, and targets that its loss takes."""
    _, *shape = model.input_shapes[0]
    if None in shape:
        message = "leaves extents of its input open, so random inputs have none; leave out --synthetic"
        raise ConfigError(Problem("layers", message))
    known = [extent for extent in shape if extent is not None]
    known = known if model.channels_first else [*known[-1:], *known[:-1]]
    inputs = torch.rand(size, *known, device=device)
    with torch.no_grad():
        output = model(inputs)
    labels = torch.zeros(size, *output.shape[2:], dtype=torch.int64, device=device)
    try:
        batch = Batch([""] * size, inputs, labels, 0, size)
        task.forward(lambda _: output, batch, alone)  # type: ignore[arg-type]
    except (ConfigError, RuntimeError):
        batch = Batch([""] * size, inputs, torch.zeros_like(output), 0, size)
    return batch


def _cut(batch: Batch, size: int) -> Batch:
    """A batch of this many samples, some of them more than once if there are fewer."""
    places = torch.arange(size, device=batch.inputs.device) % len(batch.inputs)
    targets = None if batch.targets is None else batch.targets[places]
    return Batch([""] * size, batch.inputs[places], targets, 0, size)


def _points(
    engine: Engine, step: _Step, batch: Batch, share: int, seconds: float
) -> tuple[list[tuple[int, float]], float]:
    """Batch sizes and the seconds of an update; and by how much updates of the last size differ among each other."""
    end = time.perf_counter() + seconds
    batches: list[Batch] = []
    before, taken = 0, 0.0
    for wanted in sorted({1, max(1, round(math.sqrt(share))), max(2, share)}):
        fits = int((end - time.perf_counter()) / (_LEAST + 2) / taken * before) if taken else wanted
        size = int(engine.told(str(min(wanted, fits))))
        if size <= before:
            break
        batches.append(_cut(batch, size))
        with _together(engine):
            step(batches[-1])  # the first one takes memory, and compiles
            before, taken = size, step(batches[-1])
    times: list[list[float]] = [[] for _ in batches]
    with _together(engine):  # in turns, so that what else the machine does slows down all sizes alike
        while len(times[0]) < _LEAST or (len(times[0]) < _MOST and time.perf_counter() < end):
            for own, one in zip(times, batches, strict=True):
                own.append(step(one))
    everyone = engine.everyone(times)
    points = [
        (one.size, statistics.fmean(statistics.median(each[place]) for each in everyone))
        for place, one in enumerate(batches)
    ]
    return points, statistics.fmean(_deviation(each[-1]) for each in everyone)


def _deviation(times: Sequence[float]) -> float:
    """Standard deviation as a part of the median, by the quartiles: a single step that was disturbed does not count."""
    low, middle, high = statistics.quantiles(times, n=4)
    return (high - low) / _QUARTILES / middle


_QUARTILES = 1.349
"""Standard deviations from one quartile of a normal distribution to the other."""


@contextmanager
def _together(engine: Engine) -> Iterator[None]:
    """All processes begin and end what is inside together."""
    if engine.world > 1:
        dist.barrier()
    yield
    if engine.world > 1:
        dist.barrier()


def _line(points: Sequence[tuple[int, float]]) -> tuple[float, float, float]:
    """Fixed seconds, seconds for each sample, and the largest relative distance; relative errors are least."""
    if len(points) == 1:
        size, seconds = points[0]
        return 0.0, seconds / size, 0.0
    weights = [1 / seconds**2 for _, seconds in points]
    total = sum(weights)
    x = sum(w * size for w, (size, _) in zip(weights, points, strict=True)) / total
    y = sum(w * seconds for w, (_, seconds) in zip(weights, points, strict=True)) / total
    above = sum(w * (size - x) * (seconds - y) for w, (size, seconds) in zip(weights, points, strict=True))
    slope = above / sum(w * (size - x) ** 2 for w, (size, _) in zip(weights, points, strict=True))
    fixed = y - slope * x
    if slope <= 0:  # a device that does all these sizes in the same time
        fixed, slope = y, 0.0
    elif fixed < 0:
        fixed, slope = 0.0, y / x
    return fixed, slope, max(abs(fixed + slope * size - seconds) / seconds for size, seconds in points)


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
