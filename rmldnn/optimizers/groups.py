"""Groups of parameters, which are learned with keys of their own.

An entry of `optimizer.parameters` names layers and the keys that are different there. `layers` is a regular expression
that must match the full name of a layer, or of a model around it: `encoder` and `encoder.*` both take all of a nested
model `encoder`, and the latter takes layers called `encoder_1` as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from rmldnn.component import Form, Parameter, alone, near_miss, show
from rmldnn.errors import ConfigError, Problem

if TYPE_CHECKING:
    from torch import Tensor, nn

Group: TypeAlias = dict[str, Any]
"""Parameters, `params`, and what is different for them, in torch's words: `lr`, `weight_decay`, `betas`, ..."""
Parameters: TypeAlias = "Iterable[Tensor] | Iterable[Group]"
"""What an optimizer is given: tensors, or groups of them."""

PLACE = "optimizer.parameters"
LAYERS = Parameter("layers", str, ".*")
KINDS = Parameter("kinds", list[Literal["bias", "norm"]], ("bias", "norm", "other"))
_TORCH = {"learning_rate": "lr"}
"""Keys that torch calls otherwise; `beta1` and `beta2` are its pair `betas`."""


def groups(parameters: Parameters) -> list[Group]:
    """The parameters as torch's groups; tensors without groups are one."""
    given: list[Any] = list(parameters)
    return given if given and isinstance(given[0], dict) else [{"params": given}]


def check_groups(entries: Any, optimizer: Form) -> Iterator[Problem]:
    """The problems of `optimizer.parameters` that can be seen without the network; imports no torch.

    Args:
        entries: What the user wrote.
        optimizer: The form of the optimizer, whose keys each entry may have.
    """
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        got = alone(entries) if isinstance(entries, dict) else show(entries)
        like = '[{"layers": "encoder.*", "learning_rate": 1e-5}]'
        yield Problem(PLACE, f"must be a list of objects, such as {like}, got {got}")
        return
    if optimizer.name == "Hessian" and entries:
        yield Problem(PLACE, "`Hessian` moves all parameters together and takes no groups; leave it out")
        return
    own = {parameter.name: parameter for parameter in (LAYERS, KINDS)}
    form = Form(optimizer.name, optimizer.target, {**own, **optimizer.parameters})
    for number, entry in enumerate(entries):
        yield from form.check(entry, f"{PLACE}[{number}]")
        try:
            re.compile(str(entry.get("layers", "")))
        except re.error as error:
            yield Problem(f"{PLACE}[{number}].layers", f"`{entry['layers']}` is no regular expression: {error}")


def parameter_groups(network: nn.Module, entries: Sequence[Mapping[str, Any]], keys: Mapping[str, Any]) -> list[Group]:
    """The network's trainable parameters in groups, for an optimizer.

    A parameter belongs to the first entry that names its layer and kind. Those that no entry takes are the first group,
    which is left out if it is empty; then comes one group for each entry.

    Args:
        network: Its parameters are called `<layer>.<parameter>`.
        entries: What the user wrote: `layers` and `kinds`, and keys of the optimizer. `kinds` takes only biases
            (`bias`) or parameters of normalisations (`norm`), such as to leave them without weight decay.
        keys: Every key of the optimizer with its value for all parameters.

    Raises:
        ConfigError: An entry takes no parameter.
    """
    trainable = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
    rest = dict(trainable)
    taken: list[Group] = []
    problems = []
    for number, entry in enumerate(entries):
        named = [name for name in trainable if _names(entry, name)]
        matching = [name for name in named if _kind(network, name) in entry.get("kinds", KINDS.default)]
        mine = [rest.pop(name) for name in matching if name in rest]
        if not mine:
            problems.append(_vain(network, entry, f"{PLACE}[{number}]", named, matching))
        taken.append({"params": mine, **_in_torch(entry, keys)})
    if problems:
        raise ConfigError(problems)
    return [{"params": list(rest.values())}, *taken] if rest else taken


def _models(name: str) -> list[str]:
    """Names of the layer of a parameter and of the models around it: `a.b` and `a` for `a.b.weight`."""
    parts = name.split(".")[:-1]
    return [".".join(parts[:end]) for end in range(len(parts), 0, -1)]


def _names(entry: Mapping[str, Any], name: str) -> bool:
    return any(re.fullmatch(entry.get("layers", LAYERS.default), model) for model in _models(name) or [""])


def _kind(network: nn.Module, name: str) -> str:
    layer, _, parameter = name.rpartition(".")
    if "bias" in parameter:
        return "bias"
    return "norm" if "Norm" in type(network.get_submodule(layer)).__name__ else "other"


def _in_torch(entry: Mapping[str, Any], keys: Mapping[str, Any]) -> Group:
    own = {_TORCH.get(key, key): value for key, value in entry.items() if key in keys}
    betas = tuple(own.pop(beta, keys.get(beta)) for beta in ("beta1", "beta2"))
    return own | {"betas": betas} if {"beta1", "beta2"} & entry.keys() else own


def _vain(
    network: nn.Module, entry: Mapping[str, Any], place: str, named: Sequence[str], matching: Sequence[str]
) -> Problem:
    """The problem of an entry that takes nothing."""
    layers = entry.get("layers", LAYERS.default)
    if matching:
        return Problem(f"{place}.layers", f"earlier entries take all that `{layers}` matches; put this one before them")
    if named:
        kinds = " or ".join(f"`{kind}`" for kind in entry["kinds"]) or "no kind"
        return Problem(f"{place}.kinds", f"no layer that `{layers}` matches has trainable parameters of {kinds}")
    if any(_names(entry, name) for name, _ in network.named_parameters()):
        return Problem(f"{place}.layers", f"`{layers}` matches only layers that are not `trainable`")
    known = {
        model for name, parameter in network.named_parameters() if parameter.requires_grad for model in _models(name)
    }
    word = re.split(r"[*+?(){}\[\]|^$\\]|\.(?=[*+?])", layers)[0] or layers
    return Problem(
        f"{place}.layers", f"`{layers}` matches the name of no layer with trainable parameters{near_miss(word, known)}"
    )
