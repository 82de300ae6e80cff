"""What samples that were made are worth, by a classifier of found ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from rmldnn.component import near_miss
from rmldnn.errors import CheckpointError, ConfigError, NetworkError, Problem
from rmldnn.metrics.frechet import frechet, moments
from rmldnn.networks import weights
from rmldnn.networks.compile import network
from rmldnn.networks.network import Network
from rmldnn.types import Total

PATH = "task.classifier"


class Judge:
    """Measures samples that were made, beside found ones.

    `FID` is the Fréchet distance of the features of both; `modes` the number of classes that made ones fall into;
    `agreement` the part of which the class is the one that was asked for, where one was.

    The sums of all processes are added, so the numbers do not depend on how many there are.

    Args:
        classifier: Takes samples as the discriminator does, without classes, and gives a score for each class.
        layer: The layer whose output, before its activation, are the features; by default they are what the last layer
            with weights takes.
        agreement: Whether classes are asked for.

    Raises:
        ConfigError: There is no such layer, or none with weights.
    """

    def __init__(self, classifier: Network, layer: str | None = None, *, agreement: bool = False) -> None:
        self.classes: Sequence[str] = ()
        self.accuracy: str | None = None
        self.names: Sequence[str] = ["FID", "modes", *(["agreement"] if agreement else [])]
        self.classifier = classifier.eval().requires_grad_(False)
        self._features = torch.zeros(0)
        self._sums: list[Tensor] = []
        known = {fact.qualified: fact.path for top in classifier.layers for fact in top.flat() if fact.variables}
        if not known:
            message = "the classifier has no layer with weights; take a network that has learned to tell classes"
            raise ConfigError(Problem(f"{PATH}.layers", message))
        if layer is None:
            last = classifier.get_submodule(list(known.values())[-1])
            last.register_forward_pre_hook(lambda _, inputs: self._keep(inputs[0]))
        elif layer in known:
            classifier.get_submodule(known[layer]).register_forward_hook(lambda *call: self._keep(call[2]))
        else:
            message = f"the classifier has no layer `{layer}` with weights{near_miss(layer, known)}"
            raise ConfigError(Problem(f"{PATH}.layer", message))

    @classmethod
    def of(cls, keys: Mapping[str, Any], *, agreement: bool) -> Judge:
        """The judge of a configuration: `layers`, weights to `load`, and a `layer`.

        Raises:
            ConfigError: Keys are missing, or unknown.
            NetworkError: The classifier cannot be made.
            CheckpointError: Its weights cannot be loaded.
        """
        kinds = {"layers": (str, list, dict), "load": (str,), "layer": (str,)}
        problems = [
            Problem(f"{PATH}.{key}", f"`{key}`: unknown key in {PATH}{near_miss(key, kinds)}")
            for key in keys
            if key not in kinds
        ]
        for key, kind in kinds.items():
            if key in keys and not isinstance(keys[key], kind):
                problems.append(Problem(f"{PATH}.{key}", "must be a path" if key == "load" else "must be a name"))
            elif key not in keys and key != "layer":
                what = "the layers of a network that tells classes" if key == "layers" else "a file of its weights"
                problems.append(Problem(PATH, f"`{key}` is missing: {what}"))
        if problems:
            raise ConfigError(problems)
        state = torch.get_rng_state()  # of the networks that learn
        try:
            made = network(layers=keys["layers"])
            weights.load(keys["load"], made)
        except NetworkError as error:
            raise NetworkError([replace(one, path=f"{PATH}.layers: {one.path}") for one in error.problems]) from error
        except CheckpointError as error:
            raise CheckpointError([replace(one, path=f"{PATH}.load") for one in error.problems]) from error
        finally:
            torch.set_rng_state(state)
        return cls(made, keys.get("layer"), agreement=agreement)

    def require_fit(self, shape: Sequence[int], classes: int, *, arrays: bool) -> None:
        """Refuses a classifier that cannot take the samples, or tells other classes than those that are asked for.

        Args:
            shape: Of samples, (n, C, *spatial).
            classes: How many are asked for; 0 for none.
            arrays: Whether samples are arrays, not pictures.

        Raises:
            NetworkError: It does not fit.
        """
        place, outputs = f"{PATH}.layers", self.classifier.output_shapes
        if len(outputs) > 1:
            raise NetworkError(Problem(place, f"the network has {len(outputs)} outputs; a classifier has one"))
        self.classifier.check_input(shape, arrays=arrays, path=place)
        empty = torch.zeros(1, *shape[1:], device=next(self.classifier.parameters()).device)
        scores, _ = self._judged(empty)
        if classes and scores[0].numel() != classes:
            message = (
                f"the classifier tells {scores[0].numel()} classes, but {classes} are asked for; take one that has "
                "learned from the classes of these samples"
            )
            raise NetworkError(Problem(place, message))

    def watch(self, found: Tensor, made: Tensor, labels: Tensor | None) -> None:
        """Takes this process's share of an evaluated batch, which may hold no sample.

        Args:
            found: Real samples, shape (n, C, *spatial).
            made: Made ones.
            labels: The classes that were asked for, (n,).
        """
        if not len(found):
            return
        self.classifier.to(found.device)
        _, real = self._judged(found)
        scores, other = self._judged(made)
        chosen = scores.flatten(1).argmax(1)
        counts = torch.bincount(chosen, minlength=scores[0].numel()).double()
        agreed = (chosen == labels).double().sum() if labels is not None else counts.new_zeros(())
        sums = [moments(real), moments(other), counts, agreed[None]]
        self._sums = [before + more for before, more in zip(self._sums, sums, strict=True)] if self._sums else sums

    def update(self, output: Tensor, target: Tensor, first: int) -> None:
        """Does nothing: `watch` has seen more."""

    def compute(self, total: Total) -> Mapping[str, Tensor]:
        """The numbers for all that came since the last call, on all processes."""
        mine = self._sums or [torch.zeros(size, dtype=torch.float64) for size in self._sizes()]
        device = next(self.classifier.parameters()).device
        real, other, counts, agreed = torch.split(total(torch.cat(mine).to(device)).cpu(), [len(part) for part in mine])
        self._sums = []
        numbers = {"FID": frechet(real, other), "modes": (counts > 0).sum().double()}
        return {**numbers, "agreement": agreed[0] / other[0]} if "agreement" in self.names else numbers

    def _sizes(self) -> list[int]:
        """Of the sums of a process without samples, of which one is needed to know them."""
        shape = [extent or 1 for extent in self.classifier.input_shapes[0][1:]]
        tensor = torch.zeros(1, *(shape if self.classifier.channels_first else [shape[-1], *shape[:-1]]))
        scores, features = self._judged(tensor.to(next(self.classifier.parameters())))
        width = features.shape[1]
        return [1 + width + width**2, 1 + width + width**2, scores[0].numel(), 1]

    @torch.no_grad()
    def _judged(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of the classes, and features (n, d)."""
        scores = self.classifier(samples.float())
        features = self._features
        return scores, features.flatten(2).mean(2) if features.ndim > 2 else features

    def _keep(self, features: Tensor) -> None:
        self._features = features
