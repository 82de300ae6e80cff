"""`rmldnn check`: the parts of a run one after the other, as far as they can be tried without computing.

A network that is not small is on torch's `meta` device, of data as much is read as it takes to open it and to look at
some samples, and nothing is written. Each part tells its problems; the others are tried all the same.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import torch

from rmldnn.applications.application import Application
from rmldnn.applications.fitting import require_trainable
from rmldnn.compiler import without_compiler
from rmldnn.config import translate
from rmldnn.config.instantiate import instantiate, opened_data
from rmldnn.config.samples import trains
from rmldnn.config.spec import Spec
from rmldnn.data.dataset import Data
from rmldnn.data.loader import Loader
from rmldnn.engine.checkpoint import Checkpoints
from rmldnn.engine.compute import Compute
from rmldnn.engine.zero import Zero
from rmldnn.errors import ConfigError, DataError, Problem, RmldnnError
from rmldnn.networks.costs import Memory, costs, memory
from rmldnn.networks.network import Network
from rmldnn.output.places import require_place
from rmldnn.output.placing import placed
from rmldnn.output.run_folder import RUNS
from rmldnn.training import require_monitored
from rmldnn.types import Keep

_SMALL = 2**20
"""Numbers of the weights, and of a batch between all layers, with which a network is rather made and run: what torch
imports on the `meta` device for the shapes of some operations takes longer."""
_OF_A_SET = {
    "train": ("input_path", "target_path", "num_examples"),
    "test": ("test_input_path", "test_target_path", "num_test_examples"),
}
"""Keys of `data` without which there is no such set."""


@dataclass
class Report:
    """What was found.

    Args:
        problems: Faults of the configuration, with their places.
        faults: Faults of the data.
        warnings: What may be meant as it is.
        network: The network, if it can be made; its numbers mean nothing.
        samples: How many there are of each set.
        looked_at: How many of them were read, to see whether inputs and targets suit network and loss.
        batch: Samples of a training batch over all processes, of a test batch where nothing is trained; 0 if the run
            finds that out (`auto`).
        world: Number of processes.
        memory: What a step takes in each process.
        swept: Parameters of a sweep.
    """

    problems: list[Problem] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    network: Network | None = None
    samples: dict[str, int] = field(default_factory=dict)
    looked_at: dict[str, int] = field(default_factory=dict)
    batch: int = 0
    world: int = 1
    memory: Memory | None = None
    swept: Sequence[str] = ()

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        return ConfigError.exit_code if self.problems else DataError.exit_code if self.faults else 0

    @contextmanager
    def part(self) -> Iterator[None]:
        """Keeps what is wrong with a part of a run; others follow."""
        try:
            yield
        except ConfigError as error:
            self.problems += [problem for problem in error.problems if problem not in self.problems]
        except DataError as error:
            self.faults += [str(error)] if str(error) not in self.faults else []
        except RmldnnError as error:
            self.problems.append(Problem("", str(error)))


def check(loaded: Spec, overrides: Sequence[str] = (), *, lenient: bool = False, world: int = 1) -> Report:
    """Tries the parts of a run.

    Args:
        loaded: The configuration file, read and checked.
        overrides: Changes to it, `key=value`.
        lenient: Unknown keys of layers are warnings.
        world: Processes that the run will have.
    """
    report = Report(warnings=[str(problem) for problem in loaded.warnings], world=world)
    with report.part():
        composed = translate.compose(loaded, overrides)
        report.warnings += map(str, composed.notices)
        with _heard(report, composed):
            _Parts(report, composed, lenient=lenient).try_all()
    return report


class _Parts:
    """The parts of a run, each made of those before it.

    Args:
        report: Takes what is found.
        composed: The configuration.
        lenient: Unknown keys of layers are warnings.
    """

    def __init__(self, report: Report, composed: translate.Composed, *, lenient: bool) -> None:
        self.report = report
        self.composed = composed
        self.lenient = lenient
        self.config = composed.values
        self.nodes = translate.job(self.config)
        self.trained = trains(self.config["data"])
        self.section = "network" if self.nodes["network"] else "layers"
        self.loaders: dict[str, Loader] = {}
        size = self.config["data"].get("batch_size" if self.trained else "test_batch_size")
        report.batch = size if isinstance(size, int) else 0

    @contextmanager
    def part(self) -> Iterator[None]:
        with self.report.part(), self.composed.places():
            yield

    def try_all(self) -> None:
        self._places()
        self._open()
        application = network = None
        with self.part():
            application = instantiate(self.nodes["task"])
            network = self._network(application)
        if application is None or network is None:
            return
        self.report.network = network
        keys = self.config.get("checkpoints") or {}
        with self.part():
            Checkpoints(load=keys.get("load")).load_into(network, self.config.get("layers"))
        loss, known = None, False
        with self.part():
            loss = application.loss(network, self.nodes)
            known = True
        for which, loader in self.loaders.items():
            with self.part():
                application.require_fit(network, loader, self.section)
                self.report.looked_at[which] = application.require_targets(network, loss, loader)
        if known:
            self._watch(application, network, loss)
        with self.part():
            self._measure(network, self._optimizer(application, network) if self.trained else None)

    def _places(self) -> None:
        """Whether outputs can be written where they are to be."""
        folder = Path(self.config.get("run_folder") or RUNS) if self.trained else None
        config = self.config
        with self.part():
            config = placed(config, folder)
        data, checkpoints = config["data"], config.get("checkpoints") or {}
        folders = {
            "run_folder": folder,
            "outfile": _above(config.get("outfile")),
            "checkpoints.save": checkpoints.get("save"),
            "data.test_output_path": data.get("test_output_path"),
            "data.hdf5_outfile": _above(data.get("hdf5_outfile")),
        }
        for key, place in folders.items():
            if place is not None:
                with self.part():
                    require_place(place, key=key)

    def _network(self, application: Application) -> Network:
        """The network, without numbers unless it is small."""
        keys = {"lenient": self.lenient}
        with torch.device("meta"):
            made = application.network(self.config, self.nodes, **keys)
        between = sum(map(_numbers, _parts(made).values())) * self._share()
        weights = sum(parameter.numel() for parameter in made.parameters())
        return application.network(self.config, self.nodes, **keys) if between + weights <= _SMALL else made

    def _share(self) -> int:
        """Samples of a batch in one process."""
        batch = min([self.report.batch or 1, *self.report.samples.values()][:2])  # of the training set, if there is one
        return -(-batch // self.report.world)

    def _open(self) -> None:
        """Opens both sets; if that is impossible, each by itself, so that the faults of both are told."""
        before = len(self.report.problems) + len(self.report.faults)
        data: Data | None = None
        with self.part():
            data = opened_data(self.config)
        keys = self.config["data"]
        if data is None and len(self.report.problems) + len(self.report.faults) > before:
            for other in _OF_A_SET.values():
                rest = {key: value for key, value in keys.items() if key not in other}
                with self.part():
                    opened_data({**self.config, "data": rest})
        if data is None:
            return
        self.loaders = {which: data.loader(which) for which in _OF_A_SET if getattr(data, which) is not None}  # type: ignore[arg-type]
        self.report.samples = {which: len(loader.dataset) for which, loader in self.loaders.items()}

    def _watch(self, application: Application, network: Network, loss: Any) -> None:
        """The numbers of evaluations, and what a training watches."""
        test = self.loaders.get("test")
        with self.part():
            task = application.task(network, loss)
            metrics = application.metrics(self.nodes, loss, test)
            keep = (self.config.get("checkpoints") or {}).get("keep") or Keep()
            if self.trained and (test is not None or not self.composed.values["data"].get("test_input_path")):
                stopping = instantiate(self.nodes["stopping"])
                require_monitored(Checkpoints(keep=keep), stopping, task, test, metrics)

    def _optimizer(self, application: Application, network: Network) -> torch.optim.Optimizer:
        require_trainable(network)
        with without_compiler():
            optimizer = application.optimizer(network, self.config, self.nodes)
            application.schedule(optimizer, self.nodes, self.config.get("num_epochs", 1))
        return optimizer

    def _measure(self, network: Network, optimizer: torch.optim.Optimizer | None) -> None:
        """How much memory a step takes in each process."""
        zero: Zero = instantiate(self.nodes["engine"])
        compute: Compute = zero.precise(instantiate(self.nodes["compute"]))
        if optimizer is None:
            self.report.memory = Memory(memory(network, None).weights)
            return
        activations = 0
        for name, part in _parts(network).items():
            shapes = self._shapes(part, name)
            if shapes is None:
                return
            cost = costs(part, [[self._share(), *shape] for shape in shapes])
            if cost is None:
                return
            activations += cost.activations // (2 if compute.precision in ("bf16", "fp16") else 1)
        self.report.memory = memory(network, optimizer, activations).shared(self.report.world, zero.stage)

    def _shapes(self, network: Network, part: str) -> list[tuple[int, ...]] | None:
        """Shapes of one sample's tensors; None if they are not known."""
        shapes = [tuple(shape[1:]) for shape in network.input_shapes]
        if any(extent is None for shape in shapes for extent in shape):
            loader = next(iter(self.loaders.values()), None)
            return None if part or loader is None else [tuple(loader.sample().inputs.shape[1:])]
        known = [tuple(int(extent or 0) for extent in shape) for shape in shapes]
        return known if network.channels_first else [(*shape[-1:], *shape[:-1]) for shape in known]


def _parts(network: Any) -> dict[str, Network]:
    """A network, or those of a pair."""
    return dict(getattr(network, "parts", {"": network}))


def _numbers(network: Network) -> float:
    """Numbers that one sample is between all layers; endless if the network leaves that open."""
    shapes = [shape for top in network.layers for layer in top.flat() for shape in layer.shapes]
    if any(extent is None for shape in shapes for extent in shape):
        return float("inf")
    return sum(prod(int(extent or 0) for extent in shape) for shape in shapes)


def _above(file: str | None) -> Path | None:
    return None if file is None else Path(file).parent


@contextmanager
def _heard(report: Report, composed: translate.Composed) -> Iterator[None]:
    """Takes what the parts of a run log as warnings, and lets nothing of it through."""

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            match = re.match(r"([a-z_]+(?:[.\[][\w.\]\[]*)?): (.*)", text, re.DOTALL)
            said = str(composed.located(Problem(match[1], match[2]))) if match else text
            if said not in report.warnings:
                report.warnings.append(said)

    log = logging.getLogger("rmldnn")
    ear, handlers, propagates = Ear(logging.WARNING), log.handlers, log.propagate
    log.handlers, log.propagate = [ear], False
    try:
        yield
    finally:
        log.handlers, log.propagate = handlers, propagates
