"""A run in which a generator and a discriminator learn against each other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from rmldnn.applications.application import Application, source
from rmldnn.applications.judge import Judge
from rmldnn.applications.sheets import Sheets
from rmldnn.component import component
from rmldnn.config.instantiate import instantiate
from rmldnn.config.parts import PARTS
from rmldnn.data.loader import Loader
from rmldnn.engine.evaluation import Metrics
from rmldnn.engine.loop import Schedule
from rmldnn.errors import ConfigError, NetworkError, Problem
from rmldnn.losses.adversarial import Adversarial, Original
from rmldnn.networks.network import Network
from rmldnn.networks.pair import paired
from rmldnn.optimizers.alternating import Alternating
from rmldnn.output.console import Consumer
from rmldnn.output.places import make_folder
from rmldnn.output.predictions import Predictions
from rmldnn.schedulers.several import Several
from rmldnn.tasks.gan import Adversaries
from rmldnn.tasks.task import Task
from rmldnn.types import Count

log = logging.getLogger("rmldnn")

_NEGATIVE = "tanh"
"""The activation whose samples are also negative."""
_UNDERSTOOD = (None, "linear", "sigmoid")
"""Last activations of a discriminator whose outputs the loss `GAN` understands by itself."""


@component("gan")
class GAN(Application):
    """Generative adversarial networks: one makes samples of random numbers, the other tells them from found ones.

    Each learns from the other. `layers` (or `network`) and `optimizer` have a `generator` and a `discriminator` each.

    Args:
        critic_steps: Batches from which the discriminator learns to one from which the generator does as well: 5 for
            the loss `Wasserstein`.
        conditional: Whether both networks are told the class of a sample, by as many more channels as there are
            classes; `target_type` names the classes.
        classifier: A network that measures samples in evaluations: its `layers`, a file of its weights to `load`, and
            the `layer` of the features whose distance counts (FID), by default the last one before that of the classes.
            It must have learned from samples with the same transforms.
        samples_every: Epochs from one picture of samples, `samples_<epoch>.png`, to the next; they lie in
            `data.test_output_path`, or else in the run folder.
        num_samples: Samples that a run without a training set writes into `samples_1.h5`, in `data.test_output_path`
            or else in `samples`; of all classes in turn.
    """

    def __init__(
        self,
        *,
        critic_steps: Count = 1,
        conditional: bool = False,
        classifier: dict[str, Any] | None = None,
        samples_every: Count = 10,
        num_samples: Count | None = None,
    ) -> None:
        self.critic_steps = critic_steps
        self.conditional = conditional
        self.classifier = classifier
        self.judge: Judge | None = None
        self.samples_every = samples_every
        self.num_samples = num_samples or 0
        self.seed = 0

    def network(self, config: Mapping[str, Any], nodes: Mapping[str, Any], *, lenient: bool = False) -> Any:
        """The pair of both networks; see `Application`.

        Raises:
            NetworkError: One cannot be made, or they do not fit each other.
        """
        self.seed = int(config.get("seed", 0))
        made: dict[str, Network] = {}
        for part in PARTS:
            own = {key: section[part] for key in ("layers", "network") if part in (section := config.get(key) or {})}
            key = next(iter(own))
            nodes_of = {**nodes, "network": nodes["network"][part] if key == "network" else None}
            rest = {other: value for other, value in config.items() if other not in ("layers", "network")}
            try:
                made[part] = super().network({**rest, **own}, nodes_of, lenient=lenient)
            except NetworkError as error:
                raise NetworkError([replace(one, path=_path(one.path, key, part)) for one in error.problems]) from error
        section = "network" if nodes["network"] else "layers"
        return paired(made["generator"], made["discriminator"], section, conditional=self.conditional)

    def loss(self, model: Any, nodes: Mapping[str, Any]) -> Any:
        """What both learn by; None if there is nothing.

        Raises:
            ConfigError: The discriminator does not end as the loss needs it.
        """
        if not nodes["losses"]:
            return None
        ((_, node),) = nodes["losses"]
        last = source(model)
        made: Adversarial = instantiate({**node, "source": last} if node.get("source", last) is None else node)()
        bounded = model.last_activation not in (None, "linear")
        if made.unbounded and bounded:
            message = (
                f"takes scores of any size, but the discriminator ends in `{model.last_activation}`; let it end in "
                "`linear`"
            )
            raise ConfigError(Problem("loss.function", message))
        if isinstance(made, Original) and node.get("source") is None and model.last_activation not in _UNDERSTOOD:
            message = (
                f"takes probabilities (`sigmoid`) or scores (`linear`), but the discriminator ends in "
                f"`{model.last_activation}`; let it end in one of these, or say by `source` what its outputs are"
            )
            raise ConfigError(Problem("loss.function", message))
        if made.gradient_penalty and any(isinstance(module, _BatchNorm) for module in model.discriminator.modules()):
            message = (
                "is of each sample by itself, but the discriminator has batch normalisation, by which each depends on "
                "all others; take LayerNormalization, or none (`batch_norm` of a family), or `clip`"
            )
            raise ConfigError(Problem("loss.gradient_penalty", message))
        return made

    def task(self, model: Any, loss: Any) -> Task:
        """One step is a turn of the discriminator, and maybe one of the generator.

        Raises:
            RmldnnError: There is no classifier where the configuration says.
        """
        if self.classifier is not None:
            self.judge = Judge.of(self.classifier, agreement=self.conditional)
        return Adversaries(model, loss, self.critic_steps, self.judge.watch if self.judge is not None else None)

    def optimizer(self, model: Any, config: Mapping[str, Any], nodes: Mapping[str, Any]) -> Alternating:
        """The optimizers of both, as one.

        Raises:
            ConfigError: One cannot be made so, or goes its own ways.
        """
        members = {}
        for part in PARTS:
            keys = {**config, "optimizer": config["optimizer"][part]}
            with _of(part):
                network = model.parts[part]
                if not any(parameter.requires_grad for parameter in network.parameters()):
                    raise NetworkError(Problem(f"layers.{part}", "nothing can be trained: no layer is `trainable`"))
                made = super().optimizer(network, keys, {**nodes, "optimizer": nodes["optimizer"][part]})
                if getattr(made, "needs_closure", False) or hasattr(made, "eval"):
                    message = "keeps its own course, which networks that learn by turns cannot; take Adam, for instance"
                    raise ConfigError(Problem("optimizer.type", message))
            members[part] = made
        return Alternating(members)

    def schedule(self, optimizer: torch.optim.Optimizer, nodes: Mapping[str, Any], epochs: int) -> Schedule | None:
        """The schedules of both learning rates, as one."""
        assert isinstance(optimizer, Alternating)  # noqa: S101 - made above
        made = {}
        for part in PARTS:
            with _of(part):
                own = {"schedules": nodes["schedules"][part]}
                made[part] = super().schedule(optimizer.members[part], own, epochs)
        members: dict[str, Any] = {part: one for part, one in made.items() if one is not None}
        return Several(members) if members else None

    def require_fit(self, model: Any, loader: Loader, section: str) -> None:
        """Refuses data that the discriminator or the classifier cannot take, and classes that it does not know.

        Raises:
            NetworkError: Samples or classes do not go with the networks, or not with the classifier.
        """
        if self.conditional and loader.dataset.targets is not None:
            known = len(loader.dataset.classes) or getattr(loader.dataset.targets.source, "num_classes", 0)
            if known and known != model.classes:
                message = (
                    f"the discriminator takes {model.classes} channels more than the generator gives, but there are "
                    f"{known} classes; give both networks one channel more for each class"
                )
                raise NetworkError(Problem(f"{section}.discriminator", message))
        lowest = 0.0
        for sample in loader.samples():
            arrays = loader.dataset.inputs.source.meaning == "values"
            shape = [sample.inputs.shape[0], sample.inputs.shape[1] + model.classes, *sample.inputs.shape[2:]]
            sizes = loader.dataset.sizes
            model.discriminator.check_input(shape, arrays=arrays, sizes=sizes, path=f"{section}.discriminator")
            if self.judge is not None:
                self.judge.require_fit(sample.inputs.shape, model.classes, arrays=arrays)
            lowest = min(lowest, float(sample.inputs.min()))
            if self.conditional and sample.targets is not None and sample.targets.is_floating_point():
                message = "must be classes, one for each sample, where `task.conditional` is true"
                raise ConfigError(Problem("data.target_type", message))
        if model.generator.last_activation == _NEGATIVE and lowest >= 0:
            log.warning(
                "the generator ends in `tanh`, which gives values from -1 to 1, but samples are not negative; give "
                'them the transform {"normalize": {"mean": 0.5, "std": 0.5}}'
            )

    def require_targets(self, model: Any, loss: Any, loader: Loader) -> int:
        """The discriminator tells samples apart, and is not compared with targets."""
        del model, loss, loader
        return 0

    def metrics(
        self, nodes: Mapping[str, Any], loss: Callable[..., Tensor] | None, test: Loader | None
    ) -> Metrics | None:
        """What the classifier says of samples."""
        del nodes, loss
        return self.judge if test is not None else None

    def writers(
        self, predictions: Predictions, model: Any, test: Loader | None, epochs: int, folder: Path | None = None
    ) -> Sequence[Consumer]:
        """Who draws samples, and writes them."""
        del test, epochs
        place = predictions.folder or folder or make_folder("samples", key="data.test_output_path")
        every = self.samples_every if folder is not None else 0
        return [Sheets(model, Path(place), every, self.num_samples, self.seed)]


def _path(path: str, key: str, part: str) -> str:
    """The place of a problem of one of the networks."""
    return f"{key}.{part}.{path.removeprefix(key).lstrip('.')}".rstrip(".")


@contextmanager
def _of(part: str) -> Iterator[None]:
    """Gives problems of an optimizer, or of its schedule, the place of that of a network."""
    try:
        yield
    except ConfigError as error:
        places = [
            replace(one, path=_path(one.path, "optimizer", part)) if one.path.startswith("optimizer") else one
            for one in error.problems
        ]
        raise type(error)(places) from error
