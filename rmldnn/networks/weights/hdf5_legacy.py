"""The HDF5 layout of Keras 2, which Keras 3 still writes as `.h5`: a group for each layer, and lists of names beside.

A nested model has one group for all weights in it, those that are trained first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import h5py

from rmldnn.networks.network import LayerFacts, Network
from rmldnn.networks.variable import Variable
from rmldnn.networks.weights import hdf5
from rmldnn.networks.weights.stored import Stored, Weights, name

LAYERS = "layer_names"
WEIGHTS = "weight_names"


def root(file: h5py.File) -> h5py.Group | None:
    """The group that holds the layers: the file itself, or a part of a whole model; None if it has another layout."""
    for group in (hdf5.subgroup(file, "model_weights"), file):
        if group is not None and hdf5.texts(group, LAYERS) is not None:
            return group
    return None


def read(group: h5py.Group, network: Network) -> Weights:
    """What the layers of a file have for a network, by the layers' names."""
    layers = set(hdf5.texts(group, LAYERS) or ())
    tensors: dict[str, Stored] = {}
    known: set[str] = set()
    faults: list[str] = []
    for top in network.layers:
        wanted = [_Wanted(layer, variable) for layer in top.flat() for variable in layer.variables]
        inside = hdf5.subgroup(group, top.name) if top.name in layers else None
        titles = [] if inside is None else hdf5.texts(inside, WEIGHTS) or []
        if inside is None or not wanted:
            continue
        pairs = _pairs(wanted, titles, nested=bool(top.layers))
        if pairs is None:
            faults.append(f"   {top.name}: {len(titles)} weights in the checkpoint, {len(wanted)} in the network")
            continue
        known |= {layer.qualified for (layer, _), _ in pairs} if top.layers else {top.qualified}
        for (layer, variable), title in pairs:
            dataset = hdf5.child(inside, title)
            if isinstance(dataset, h5py.Dataset):
                tensors[name(layer.path, variable)] = hdf5.stored(dataset)
    return Weights(frozenset(layers - {"top_level_model_weights"} | known), tensors, keras=True, faults=faults)


class _Wanted(NamedTuple):
    """A weight of a network."""

    layer: LayerFacts
    variable: Variable


def _pairs(wanted: Sequence[_Wanted], titles: Sequence[str], *, nested: bool) -> list[tuple[_Wanted, str]] | None:
    """Which weight is called what in the file: by name where that tells them apart, else by order.

    Args:
        wanted: The weights of a layer or nested model.
        titles: What the file calls those of the layer of this name, in its order.
        nested: Whether the weights are of several layers, whose names are then part of what they are called.

    Returns:
        Those found; None if names do not tell them apart and there are more or fewer of them.
    """
    named = [(one, title) for one in wanted for title in titles if _of(one, title, nested=nested) == one.variable.name]
    uses = [*Counter(id(one.variable) for one, _ in named).values(), *Counter(title for _, title in named).values()]
    if not named or max(uses) > 1:
        return list(zip(_trained_first(wanted), titles, strict=True)) if len(titles) == len(wanted) else None
    done = {part for pair in named for part in (id(pair[0].variable), pair[1])}
    for title in (title for title in titles if title not in done):
        for one in wanted:  # the kernel that Keras 2 calls `depthwise_kernel` is a `kernel` in Keras 3
            short = _of(one, title, nested=nested)
            if short and id(one.variable) not in done and one.variable.name.endswith(f"_{short}"):
                named.append((one, title))
                done.add(id(one.variable))
                break
    return named


def _of(one: _Wanted, title: str, *, nested: bool) -> str:
    """What a file's name says of the weight itself, if it may be one of this layer; else nothing."""
    *path, last = title.split("/")
    if nested and f"/{one.layer.name}/" not in f"/{'/'.join(path)}/":
        return ""
    return last.partition(":")[0]


def _trained_first(wanted: Sequence[_Wanted]) -> Iterator[_Wanted]:
    yield from (one for one in wanted if one.variable.trainable)
    yield from (one for one in wanted if not one.variable.trainable)
