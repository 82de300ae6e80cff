"""How a run describes its parts: the rows of the sections that stand before the first step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from rmldnn.config import catalog, parts, translate
from rmldnn.data import summary
from rmldnn.data.loader import Loader
from rmldnn.networks.network import Network
from rmldnn.optimizers.groups import LAYERS
from rmldnn.output.rows import Group, Row, Rows, component_rows


def network_rows(model: Network) -> Rows:
    """Name and size of a network; running statistics are no parameters."""
    counts = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return [
        ("Model name", model.title),
        ("Total parameters", sum(count for count, _ in counts)),
        ("Trainable parameters", sum(count for count, trainable in counts if trainable)),
        ("Num of operations", model.num_operations),
    ]


def chosen_rows(group: str, values: Mapping[str, Any], source: str | None = None) -> Rows:
    """The component that a section of the configuration chose, and its keys.

    Args:
        group: What is chosen.
        values: The section.
        source: Of a loss: what the network's output went through, which holds where the section does not say.
    """
    head: Literal["Type", "Function"] = "Function" if group == "loss" else "Type"
    form = catalog.find(group, values[head.lower()])
    assert form is not None  # noqa: S101 - the configuration was checked
    shown = {key: values.get(key, parameter.default) for key, parameter in form.parameters.items()}
    if "source" in shown:
        shown["source"] = shown["source"] or source
    for key, usual in _UNSAID.get(form.name, _UNSAID.get(group, {})).items():
        if key in shown and shown[key] == (source if key == "source" else usual):
            del shown[key]
    return component_rows(head, form.title, shown)


_UNSAID: Mapping[str, Mapping[str, Any]] = {
    "loss": {"ignore_index": None},
    "NLL": {"source": None},  # that of the network
    "BCE": {"source": None},
    "scheduler": {"num_epochs": None, "per": "epoch"},
}
"""Values that the original does not show: of a component, or of all others of its group."""


def learning_sections(values: Mapping[str, Any]) -> Iterator[tuple[str, Rows]]:
    """Titles and rows of the optimizer and its schedules, or of those of each network of a pair."""
    for path, keys in parts.named(values, "optimizer").items():
        whose = f" ({path.partition('.')[2]})" if path != "optimizer" else ""
        yield f"Optimizer{whose}", optimizer_rows(keys)
        for schedule in translate.listed(keys.get("lr_scheduler")):
            yield f"Learning rate scheduler{whose}", chosen_rows("scheduler", schedule)


def optimizer_rows(values: Mapping[str, Any]) -> Rows:
    """The optimizer and its keys; then what is different for which layers, a row for each entry of `parameters`."""
    rows = [*chosen_rows("optimizer", values)]
    entries = values.get("parameters") or []
    own = [(_taken(entry), {key: entry[key] for key in entry if key not in ("layers", "kinds")}) for entry in entries]
    return [*rows, ("Parameters", Group([(name, keys or "") for name, keys in own]))] if own else rows


def _taken(entry: Mapping[str, Any]) -> str:
    """What an entry of `parameters` takes: `encoder.*`, or `encoder.* (bias, norm)`."""
    layers = str(entry.get("layers", LAYERS.default))
    return f"{layers} ({', '.join(entry['kinds'])})" if "kinds" in entry else layers


def dataset_rows(loaders: Mapping[str, Loader], predictions: Rows, *, turns: bool = False) -> Rows:
    """Sizes of the training and the test set, what is done to their samples, and where predictions go.

    Args:
        loaders: The sets.
        predictions: What is told of predictions.
        turns: Whether processes take turns at whole batches, instead of sharing each.
    """
    rows: list[Row] = []
    for which, title in (("train", "Training dataset"), ("test", "Test dataset")):
        if which in loaders:
            loader = loaders[which]
            inner: list[Row] = list(summary.rows(loader, turns=turns))
            if loader.dataset.transforms:
                inner.append(("Transforms", Group(loader.dataset.transforms)))
            if which == "test" and predictions:
                inner.append(("Inference output", Group(predictions)))
            rows.append((title, Group(inner)))
    return rows
