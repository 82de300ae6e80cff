"""`rmldnn summary`: what a network consists of, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from rmldnn.compiler import without_compiler
from rmldnn.component import show
from rmldnn.config import catalog
from rmldnn.config.groups import ROOT
from rmldnn.config.parts import PARTS, in_parts
from rmldnn.config.reader import read as read_config
from rmldnn.errors import ConfigError, NetworkError, Problem
from rmldnn.networks.compile import build
from rmldnn.networks.costs import Costs, costs, memory
from rmldnn.networks.keras import read as read_network
from rmldnn.networks.network import LayerFacts, Network
from rmldnn.output.tables import bytes_, count, print_table
from rmldnn.verbs import parser

DESCRIPTION = """\
Shows the layers of a network: name, type, shape of the result as Keras writes it (batch first, channels last),
parameters, and the multiply-adds for one sample.

  rmldnn summary config.json                      the network that a configuration names
  rmldnn summary net.json --format json           a Keras file, for programs
  rmldnn summary net.json --input-shape 256,256,3 --batch-size 16"""


def main(arguments: Sequence[str]) -> int:
    """Prints the summary; returns the exit code."""
    options = parser("summary", "[options] FILE", DESCRIPTION)
    options.add_argument("file", metavar="FILE", help="configuration, or Keras file (.json, .keras, .h5)")
    options.add_argument("--format", choices=("table", "json"), default="table", help="for people or for programs")
    options.add_argument("--batch-size", type=int, metavar="N", help="samples of a training step")
    options.add_argument("--input-shape", metavar="H,W,C", help="what to put for extents that the network leaves open")
    options.add_argument("--lenient", action="store_true", help="unknown keys of layers are warnings")
    given = options.parse_intermixed_args(list(arguments))
    found: dict[str, Any] = {}
    for part, (described, section) in _networks(given.file).items():
        batch = _batch(given.batch_size, section)
        with torch.device("meta"):
            original = section.get("semantics") == "original"
            network = build(described, lenient=given.lenient, semantics="original" if original else "keras")
        shapes = _shapes(network, given.input_shape)
        cost = costs(network, [[batch, *shape] for shape in shapes]) if shapes else None
        step = memory(network, _optimizer(network, section), cost.activations).total if cost else None
        if given.format == "json":
            found[part] = _facts(network, batch, cost, step)
        else:
            _show(network, batch, cost, step)
    if found:
        print(json.dumps(found.get("", found), indent=2))
    return 0


def _networks(file: str) -> dict[str, tuple[Any, Mapping[str, Any]]]:
    """The graph of each network of a file, by name, and the configuration around it, if it is one."""
    section = _section(file)
    places = section or {}
    given = [key for key in ("layers", "network") if in_parts(places.get(key)) and "class_name" not in places[key]]
    if not given or section is None:
        return {"": _described(file, section)}
    found = {}
    for part in PARTS:
        own = {key: section[key][part] for key in given if part in section[key]}
        optimizer = section.get("optimizer")
        rest = {key: value for key, value in section.items() if key not in ("layers", "network")}
        rest["optimizer"] = optimizer.get(part) if in_parts(optimizer) else None
        if isinstance(own.get("network"), str):
            own["network"] = {"type": own["network"]}
        found[part] = _described(file, {**rest, **own})
    return found


def _section(file: str) -> Mapping[str, Any] | None:
    """The configuration in a file, if it is one."""
    if Path(file).suffix.lower() in (".json", ".json5", ".yaml", ".yml"):
        value = read_config(file).value
        section = value.get(ROOT) if isinstance(value, Mapping) else None
        if isinstance(section, Mapping):
            return section
    return None


def _described(file: str, section: Mapping[str, Any] | None) -> tuple[Any, Mapping[str, Any]]:
    """The graph in a file, or that which a configuration names."""
    if section is None:
        return read_network(file), {}
    if isinstance(section.get("network"), Mapping):
        return _family(section["network"], file), section
    if section.get("layers") is None:
        raise ConfigError(Problem("layers", "is missing: the network to summarise", file))
    return read_network(section["layers"]), section


def _family(section: Mapping[str, Any], file: str) -> Any:
    from rmldnn.verbs.network import graph

    keys = {key: value for key, value in section.items() if key != "type"}
    return graph(str(section.get("type")), keys, file)


def _batch(chosen: int | None, section: Mapping[str, Any]) -> int:
    if chosen is not None and chosen < 1:
        raise ConfigError(f"--batch-size must be a positive integer, got {chosen}")
    data = section.get("data")
    configured = data.get("batch_size", 64) if isinstance(data, Mapping) else 1
    return chosen or (configured if isinstance(configured, int) and configured > 0 else 1)


def _shapes(network: Network, text: str | None) -> list[list[int]] | None:
    """Shapes of one sample's tensors; None if the network leaves extents open."""
    wanted: list[int] = []
    if text is not None:
        try:
            wanted = [int(part) for part in text.split(",")]
        except ValueError:
            wanted = []
        if not wanted or min(wanted) < 1:
            raise ConfigError(f"--input-shape must be positive integers such as 256,256,3, got {show(text)}")
    shapes = []
    for _, *shape in network.input_shapes:
        filled = list(shape)
        if wanted and len(wanted) == len(shape):
            if any(extent not in (None, size) for extent, size in zip(shape, wanted, strict=True)):
                raise NetworkError(f"--input-shape {text} does not fit into the network's input {_shape(shape)}")
            filled = list(wanted)
        if None in filled:
            return None
        known = [extent for extent in filled if extent is not None]
        shapes.append(known if network.channels_first else [*known[-1:], *known[:-1]])
    return shapes


def _optimizer(network: Network, section: Mapping[str, Any]) -> torch.optim.Optimizer | None:
    """The configured optimizer, as far as it can be made."""
    optimizer = section.get("optimizer")
    form = catalog.find("optimizer", str(optimizer.get("type"))) if isinstance(optimizer, Mapping) else None
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if form is None or not isinstance(optimizer, Mapping) or not parameters:
        return None
    keys = {key: optimizer[key] for key in form.parameters if key in optimizer}
    if list(form.check(keys, "optimizer")):
        return None
    with without_compiler():
        made: torch.optim.Optimizer = form.load()(parameters, **keys)
    return made


def _facts(network: Network, batch: int, cost: Costs | None, step: int | None) -> dict[str, Any]:
    sizes = [(variable.size, variable.trainable) for _, variable, _ in network.variables()]
    trainable = sum(size for size, learns in sizes if learns)
    total = sum(size for size, _ in sizes)
    written = [layer for layer in network.layers if not layer.implicit]
    return {
        "name": network.title,
        "total_params": total,
        "trainable_params": trainable,
        "non_trainable_params": total - trainable,
        "num_layers": len(written),
        "inputs": network.input_shapes,
        "outputs": network.output_shapes,
        "batch_size": batch,
        "multiply_adds": cost.total if cost else None,
        "training_bytes": step,
        "layers": [_row(layer, cost) for layer in written],
    }


def _row(layer: LayerFacts, cost: Costs | None) -> dict[str, Any]:
    inner = list(layer.flat())
    variables = [variable for one in inner for variable in one.variables]
    known = None if cost is None else sum(cost.multiply_adds.get(one.path, 0) for one in inner)
    return {
        "name": layer.name,
        "type": layer.class_name,
        "output_shapes": [[None, *shape] for shape in layer.shapes],
        "params": sum(variable.size for variable in variables),
        "trainable_params": sum(variable.size for variable in variables if variable.trainable),
        "multiply_adds": known,
    }


def _show(network: Network, batch: int, cost: Costs | None, step: int | None) -> None:
    facts = _facts(network, batch, cost, step)
    rows = [
        (
            row["name"],
            row["type"],
            "\n".join(_shape(shape[1:]) for shape in row["output_shapes"]),
            f"{row['params']:,}" if row["params"] else "",
            _trains(row),
            count(row["multiply_adds"]) if row["multiply_adds"] else "",
        )
        for row in facts["layers"]
    ]
    print_table(network.title, ["Layer", "Type", "Output shape", ">Parameters", "Trainable", ">Multiply-adds"], rows)
    known = {
        "Parameters": f"{facts['total_params']:,}",
        "Trainable": f"{facts['trainable_params']:,}",
        "Layers": str(facts["num_layers"]),
        "Inputs": ", ".join(_shape(shape[1:]) for shape in facts["inputs"]),
        "Outputs": ", ".join(_shape(shape[1:]) for shape in facts["outputs"]),
        "Multiply-adds": f"{count(facts['multiply_adds'])} for one sample" if cost else "unknown",
        "Training step": f"about {bytes_(facts['training_bytes'])} for a batch of {batch}" if cost else "unknown",
    }
    if cost is None:
        known["Multiply-adds"] += ": give open extents, --input-shape 256,256,3" if _open(network) else ""
    print_table("", ["", ""], list(known.items()))


def _open(network: Network) -> bool:
    return any(extent is None for shape in network.input_shapes for extent in shape[1:])


def _trains(row: Mapping[str, Any]) -> str:
    if not row["params"]:
        return ""
    if row["trainable_params"] in (0, row["params"]):
        return "yes" if row["trainable_params"] else "no"
    return f"{row['trainable_params']:,}"


def _shape(shape: Sequence[int | None]) -> str:
    return " x ".join("?" if extent is None else str(extent) for extent in shape) or "one number"
