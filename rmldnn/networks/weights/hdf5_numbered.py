"""The HDF5 layout of `.weights.h5` and `.keras` files: `layers/<class>[_<number>]/vars/<number>`.

Layers are numbered within their model, class by class, in the order of its list of layers; a nested model holds a
`layers` of its own, and a part of a layer, such as the cell of a recurrent one, a group of its own. Files of late
versions of Keras 3 note names of layers besides; in an archive the model's description tells them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import h5py

from rmldnn.errors import CheckpointError
from rmldnn.networks.network import LayerFacts, Network
from rmldnn.networks.variable import Variable
from rmldnn.networks.weights import hdf5
from rmldnn.networks.weights.numbering import RENAMED, VARIABLES
from rmldnn.networks.weights.stored import Stored, Weights, name

CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
"""What models hold their layers in; the latter up to TensorFlow 2.13."""
_RANDOM = ("seed_generator", "random_generator")
"""Parts of layers that hold the state of generators of random numbers, not weights."""


class Entry(NamedTuple):
    """A layer in a list of layers; a nested model has its own."""

    name: str
    class_name: str
    layers: tuple[Entry, ...] = ()


def container(group: h5py.Group) -> h5py.Group | None:
    """The group of the layers of a model; None if there is none, so that it is none of this layout."""
    found = (hdf5.subgroup(group, title) for title in CONTAINERS)
    return next((item for item in found if item is not None), None)


def described(model: Any) -> tuple[Entry, ...]:
    """The layers of a model object, as Keras describes it."""
    config = model.get("config") if isinstance(model, Mapping) else None
    layers = config.get("layers") if isinstance(config, Mapping) else config
    entries = []
    for layer in layers if isinstance(layers, Sequence) else ():
        inner = layer.get("config") or {}
        if not re.match(r"keras(\.src)?\.ops\b", str(layer.get("module"))):  # an operation is no layer
            title = layer.get("name") or inner.get("name")
            inside = described(layer) if "layers" in inner else ()
            entries.append(Entry(str(title), str(layer.get("class_name")), inside))
    return tuple(entries)


def read(file: h5py.Group, network: Network, description: Any = None) -> Weights:
    """What a file has for a network: by the names of layers where file or description tell them, else by structure.

    Args:
        file: The file.
        network: The network.
        description: The model object that the file belongs to, if it is at hand.

    Raises:
        CheckpointError: Nothing tells names, and the file's layers are not those of the network.
    """
    layers = container(file)
    if layers is None:
        raise CheckpointError("holds no layers")
    groups = dict(_named(layers, "", set()))
    if not groups and description is not None:
        groups = dict(_numbered(layers, described(description), ""))
    names = {layer.qualified for top in network.layers for layer in top.flat() if layer.variables}
    if not names & groups.keys():
        try:
            _require_alike(layers, network.layers, "")
        except CheckpointError:
            if not groups:
                raise
        else:
            groups = dict(_numbered(layers, tuple(map(_entry, network.layers)), ""))
    return _weights(groups, network)


def _entry(layer: LayerFacts) -> Entry:
    return Entry(layer.name, layer.class_name, tuple(map(_entry, layer.layers)))


def _named(layers: h5py.Group, prefix: str, seen: set[int]) -> Iterator[tuple[str, h5py.Group]]:
    """Layers by the names that the file notes, each with the models around it: `encoder.conv`."""
    for _, group in hdf5.subgroups(layers, seen):
        variables = hdf5.subgroup(group, VARIABLES)
        title = None if variables is None else hdf5.text(variables, "name")
        if title is None:
            continue
        inside = container(group)
        if inside is None:
            yield f"{prefix}{title}", group
        else:
            yield from _named(inside, f"{prefix}{title}.", seen)


def _numbered(layers: h5py.Group, entries: Sequence[Entry], prefix: str) -> Iterator[tuple[str, h5py.Group]]:
    """Layers by the names that a list of layers gives them."""
    groups = _by_class(layers)
    totals = Counter(_stem(entry.class_name) for entry in entries)
    counts: Counter[str] = Counter()
    for entry in entries:
        stem = _stem(entry.class_name)
        there = groups[stem]
        number = counts[stem]
        counts[stem] += 1
        if there and max(there) >= totals[stem] == len(there):  # TensorFlow 2.12 counted layers with weights twice
            number = sorted(there)[number]
        group = there.get(number)
        if group is None:
            continue
        inside = container(group) if entry.layers else None
        if inside is None:
            yield f"{prefix}{entry.name}", group
        else:
            yield from _numbered(inside, entry.layers, f"{prefix}{entry.name}.")


def _by_class(layers: h5py.Group) -> dict[str, dict[int, h5py.Group]]:
    groups: dict[str, dict[int, h5py.Group]] = defaultdict(dict)
    for title, group in hdf5.subgroups(layers, set()):
        stem, _, number = title.rpartition("_")
        if not (stem and number.isdecimal()):
            stem, number = title, "0"
        groups[_stem(stem)][int(number)] = group
    return groups


def _stem(class_name: str) -> str:
    """What a class and its groups have in common: Keras has put underscores between words in several ways."""
    title = class_name.rpartition(">")[2]
    return re.sub(r"\W|_", "", RENAMED.get(title, title)).lower()


def _require_alike(layers: h5py.Group, network: Sequence[LayerFacts], place: str) -> None:
    """Refuses a file whose layers with weights are not as many of each class as those of a network."""
    wanted: dict[str, list[LayerFacts]] = defaultdict(list)
    for layer in network:
        if any(one.variables for one in layer.flat()):
            wanted[_stem(layer.class_name)].append(layer)
    there = {
        stem: full
        for stem, groups in _by_class(layers).items()
        if (full := [group for _, group in sorted(groups.items()) if _filled(group, set())])
    }
    for stem in [*wanted, *sorted(there.keys() - wanted.keys())]:
        mine, theirs = wanted.get(stem, []), there.get(stem, [])
        if len(mine) != len(theirs):
            names = (
                f" ({', '.join(layer.name for layer in mine[:5])}{', ...' if len(mine) > 5 else ''})" if mine else ""
            )
            raise CheckpointError(
                f"is of another network: it has {len(theirs)} layers with weights of class "
                f"`{mine[0].class_name if mine else stem}`{place}, and this network has {len(mine)}{names}; it knows "
                "no names of layers, so give it the network that it was saved from, or the `.keras` file of it"
            )
        for model, group in zip(mine, theirs, strict=True):
            if model.layers and (inside := container(group)) is not None:
                _require_alike(inside, model.layers, f" in `{model.name}`")


def _filled(group: h5py.Group, seen: set[int]) -> bool:
    """Whether there are weights in a group, however deep."""
    return any(
        any(isinstance(hdf5.child(inside, key), h5py.Dataset) for key in inside)
        if title == VARIABLES
        else title not in _RANDOM and _filled(inside, seen)
        for title, inside in hdf5.subgroups(group, seen)
    )


def _weights(groups: Mapping[str, h5py.Group], network: Network) -> Weights:
    tensors: dict[str, Stored] = {}
    faults: list[str] = []
    for top in network.layers:
        for layer in top.flat():
            group = groups.get(layer.qualified)
            if group is None or not layer.variables:
                continue
            parts = dict(_parts(group, "", set()))
            wanted = _in_parts(layer.variables)
            if len(parts) == len(wanted) == 1:
                parts = dict(zip(wanted, parts.values(), strict=True))
            for part, variables in wanted.items():
                datasets = parts.get(part, [])
                if len(datasets) != len(variables):
                    where = f"{layer.path}/{part}" if part else layer.path
                    faults.append(
                        f"   {where}: {len(datasets)} weights in the checkpoint, {len(variables)} in the network"
                    )
                    continue
                for variable, dataset in zip(variables, datasets, strict=True):
                    tensors[name(layer.path, variable)] = hdf5.stored(dataset)
    return Weights(frozenset(groups), tensors, keras=True, faults=faults)


def _parts(group: h5py.Group, path: str, seen: set[int]) -> Iterator[tuple[str, list[h5py.Dataset]]]:
    """The weights of a layer, by the part of it that owns them."""
    for title, inside in hdf5.subgroups(group, seen):
        if title == VARIABLES:
            items = [hdf5.child(inside, key) for key in sorted(inside, key=lambda key: (len(key), key))]
            if items := [item for item in items if isinstance(item, h5py.Dataset)]:
                yield _part(path), items
        elif title not in _RANDOM:
            yield from _parts(inside, f"{path}/{title}", seen)


def _in_parts(variables: Iterable[Variable]) -> dict[str, list[Variable]]:
    parts: dict[str, list[Variable]] = defaultdict(list)
    for variable in variables:
        parts[_part(variable.path)].append(variable)
    return parts


def _part(path: str) -> str:
    """A part of a layer without the marks of privacy that only some versions of Keras put before its name."""
    return "/".join(step.lstrip("_") for step in path.split("/") if step)
