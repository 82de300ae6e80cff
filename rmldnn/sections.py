"""How a run describes its parts: the rows of the sections that stand before the first step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from rmldnn.config import catalog
from rmldnn.data import summary
from rmldnn.data.loader import Loader
from rmldnn.networks.network import Network
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


def chosen_rows(group: str, values: Mapping[str, Any]) -> Rows:
    """The component that a section of the configuration chose, and its keys."""
    head: Literal["Type", "Function"] = "Function" if group == "loss" else "Type"
    form = catalog.find(group, values[head.lower()])
    assert form is not None  # noqa: S101 - the configuration was checked
    shown = {key: values.get(key, parameter.default) for key, parameter in form.parameters.items()}
    for key, usual in _UNSAID.get(group, {}).items():
        if shown.get(key, usual) == usual:
            shown.pop(key, None)
    return component_rows(head, form.title, shown)


_UNSAID: Mapping[str, Mapping[str, Any]] = {
    "loss": {"source": None},  # the network says it
    "scheduler": {"num_epochs": None, "per": "epoch"},
}
"""Values that the original does not know, and that mean nothing new."""


def dataset_rows(loaders: Mapping[str, Loader], predictions: Rows) -> Rows:
    """Sizes of the training and the test set, what is done to their samples, and where predictions go."""
    rows: list[Row] = []
    for which, title in (("train", "Training dataset"), ("test", "Test dataset")):
        if which in loaders:
            loader = loaders[which]
            inner: list[Row] = list(summary.rows(loader))
            if loader.dataset.transforms:
                inner.append(("Transforms", Group(loader.dataset.transforms)))
            if which == "test" and predictions:
                inner.append(("Inference output", Group(predictions)))
            rows.append((title, Group(inner)))
    return rows
