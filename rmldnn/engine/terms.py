"""The terms of a training: what it learns by, and which of that may be others when it goes on.

A state remembers them. A run that goes on with other ones takes them if the numbers that the state holds still mean the
same; it refuses them if they do not.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from rmldnn.component import show
from rmldnn.engine.states import State
from rmldnn.errors import CheckpointError, Problem
from rmldnn.networks.graph import Graph

log = logging.getLogger("rmldnn")

_ORDER = ("accumulate", "data.batch_size", "data.input_path", "data.shuffle", "seed")
"""Terms that say which samples an update is made of."""
_KEPT = ("amsgrad", "centered", "method", "momentum", "orthogonal")
"""Keys that say which numbers an optimizer keeps."""
_MIXING = ("schedulefreeadamw",)
"""Optimizers whose weights in a state are a mixture by `beta1`."""
_SCHEDULED = ("initial_lr", "initial_momentum")
"""What schedules keep in an optimizer's groups."""
_ANEW = "or start anew, with its weights by `checkpoints.load`"


@dataclass(frozen=True)
class Terms:
    """What a training learns by.

    Args:
        shapes: The network's weights and statistics by name, and their shapes.
        groups: The optimizer's groups as they were made; `params` are names.
        network: Key of the configuration that the network comes from.
        values: What the configuration says, by its keys: `optimizer.learning_rate`, `data.batch_size`.
        layers: What each layer computes, and from what, as `digests` gives it.
    """

    shapes: Mapping[str, Sequence[int]]
    groups: Sequence[Mapping[str, Any]]
    network: str = "layers"
    values: Mapping[str, Any] = field(default_factory=dict)
    layers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, network: nn.Module, optimizer: torch.optim.Optimizer, section: str = "layers") -> Terms:
        """Those of a network and its optimizer, before an engine prepares them, less what the configuration says.

        Args:
            network: The network.
            optimizer: Its optimizer; the schedule has it already.
            section: Key of the configuration that the network comes from.
        """
        names = {parameter: name for name, parameter in network.named_parameters()}
        shapes = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
        groups = [{**group, "params": [names[one] for one in group["params"]]} for group in optimizer.param_groups]
        return cls(shapes, groups, section)

    @property
    def numbers(self) -> int:
        """The most numbers that a state has for each weight: itself, what the optimizer keeps, and its mean."""
        return 1 + max(map(_numbers, self.groups), default=0) + (self.values.get("ema") is not None)

    def facts(self) -> dict[str, Any]:
        """What a state remembers."""
        groups = [group["params"] for group in self.groups]
        return {"terms": dict(self.values), "groups": groups, "layers": dict(self.layers)}

    def require(self, state: State, weights: Mapping[str, Tensor]) -> None:
        """Compares with a state, and tells which terms are others from now on.

        Args:
            state: What the run is to go on from.
            weights: The weights in it.

        Raises:
            CheckpointError: It cannot go on under these terms; all that is in the way is told at once.
        """
        problems = list(self._other_network(weights, state))
        problems = problems or list(self._other_groups(state))
        changes = list(self._changes(state.facts.get("terms", {})))
        problems += [problem for key, now, then in changes if (problem := _refused(key, now, then, state))]
        if problems:
            raise CheckpointError(problems)
        for key, now, then in changes:
            said = f"{key}: {show(now, 200)} from now on; it was {show(then, 200)}"
            if key in _ORDER:
                log.warning(f"{said}: not the training that it would have been")
            else:
                log.info(said + _CONSEQUENCES.get((key, then is None, now is None), ""))

    def settle(self, engine: dict[str, Any], weights: Mapping[str, Tensor]) -> None:
        """Puts these terms in place of those of a state.

        Args:
            engine: What the state keeps of the engine; changed.
            weights: The weights in the state, with which a mean of weights begins that the state has not.
        """
        words = {key.rpartition(".")[2] for key in self.values if key.startswith("optimizer.")}
        words |= {"lr", "betas", "fused", "foreach"}  # as torch calls them, and what depends on the device
        for kept, own in zip(engine["optimizer"]["param_groups"], self.groups, strict=False):
            for key in _SCHEDULED:
                kept.pop(key, None)
            kept.update({key: value for key, value in own.items() if key in words or key in _SCHEDULED})
        learned = [weights[name] for group in self.groups for name in group["params"]]
        engine.setdefault("average", {"means": [one for one in learned if one.is_floating_point()], "updates": 0})

    def _changes(self, before: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
        """Terms that are others than before: key, value, value before; keys of another optimizer mean nothing."""
        other = before.get("optimizer.type") != self.values.get("optimizer.type")
        for key, now in self.values.items():
            own = key.startswith("optimizer.") and key not in ("optimizer.type", "optimizer.lr_scheduler")
            if key in before and before[key] != now and not (own and other):
                yield key, now, before[key]

    def _other_network(self, weights: Mapping[str, Tensor], state: State) -> Iterator[Problem]:
        """The first difference between the network and that of a state."""
        found = {name: list(tensor.shape) for name, tensor in weights.items()}
        for name in [*self.shapes, *found]:
            now, then = self.shapes.get(name), found.get(name)
            if now != then:
                what = f"`{name}` is {_extent(now)}, and {_extent(then)} there"
                message = f"the network is another one than in `{state.folder}`: {what}; set it back, {_ANEW}"
                yield Problem(self.network, message)
                return
        before = state.facts.get("layers") or self.layers
        for name in [*self.layers, *before]:
            if self.layers.get(name) != before.get(name):
                what = f"the layer `{name}` has other keys or inputs"
                what = what if name in self.layers else f"the layer `{name}` is absent"
                what = what if name in before else f"the layer `{name}` is new"
                message = f"the network is another one than in `{state.folder}`: {what}; set it back, {_ANEW}"
                yield Problem(self.network, message)
                return

    def _other_groups(self, state: State) -> Iterator[Problem]:
        """The first difference between what learns and what did so before."""
        before = state.facts.get("groups")
        now = [group["params"] for group in self.groups]
        if before is None or before == now:
            return
        names, former = set(_flat(now)), set(_flat(before))
        if names != former:
            name = min(names ^ former)
            place, what = self.network, f"`{name}` learns {'now' if name in names else 'no more'}"
        else:
            place, what = "optimizer.parameters", "the entries take other parameters"
        yield Problem(place, f"{what}, unlike when `{state.folder}` was saved; set it back, {_ANEW}")


def digests(graph: Graph) -> dict[str, str]:
    """A digest of what each layer computes and from what, by name; weights begin and learn as other terms say."""
    found = {"outputs": _digest(graph.inputs, graph.outputs)}
    for node in graph.nodes:
        if node.model is not None:
            found |= {f"{node.name}.{name}": digest for name, digest in digests(node.model).items()}
        keys = {key: value for key, value in node.config.items() if node.model is None and _computes(key)}
        found[node.name] = _digest(node.class_name.lower(), keys, node.inbound, node.arguments)
    return found


def _computes(key: str) -> bool:
    """Whether a key of a layer says what it computes, and not how its weights begin or whether they learn."""
    return not key.endswith("_initializer") and key not in ("name", "trainable")


def _digest(*content: Any) -> str:
    text = json.dumps(content, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _numbers(group: Mapping[str, Any]) -> int:
    """The most numbers that an optimizer keeps for each weight of a group."""
    if "history" in group:  # steps and changes of the gradient, or only a radius
        return 2 * int(group["history"]) if group["method"] == "lbfgs" else 0
    return 2 + bool(group.get("amsgrad")) + bool(group.get("centered"))


_CONSEQUENCES = {
    ("ema", True, False): "; the mean begins with the weights of the state",
    ("ema", False, True): "; the weights that learn are evaluated and saved, no mean of them",
}
"""What to say of a term that was absent, or is so now."""


def _refused(key: str, now: Any, then: Any, state: State) -> Problem | None:
    """What is wrong with a change, if anything is."""
    said = f"is {show(now)}, but was {show(then)} when `{state.folder}` was saved"
    if key in _ORDER and state.facts["sample"]:
        epoch = state.facts["epoch"]
        return Problem(key, f"{said}, in the middle of epoch {epoch}; it may change when that epoch is complete")
    section, _, name = key.rpartition(".")
    kept = name in _KEPT and _keeps(name, now) != _keeps(name, then)
    kept = kept or (name == "beta1" and str(state.facts["terms"].get("optimizer.type")).lower() in _MIXING)
    entries = name == "parameters" and _kept(now) != _kept(then)
    if section.partition(".")[0] == "optimizer" and (name == "type" or kept or entries):
        return Problem(key, f"{said}, whose optimizer kept other numbers; set it back, {_ANEW}")
    return None


def _keeps(key: str, value: Any) -> Any:
    """A value as far as it says what an optimizer keeps: whether there is momentum, and not how much."""
    return bool(value) if key == "momentum" else value


def _kept(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{key: _keeps(key, entry[key]) for key in _KEPT if key in entry} for entry in entries]


def _flat(groups: Iterable[Iterable[str]]) -> list[str]:
    return [name for group in groups for name in group]


def _extent(shape: Sequence[int] | None) -> str:
    return "absent" if shape is None else " x ".join(map(str, shape)) or "a number"
