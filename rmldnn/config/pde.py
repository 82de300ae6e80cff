"""What the loss of a differential equation and the task `pde` need of each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rmldnn.config import catalog
from rmldnn.errors import Problem

_SUFFIX = "_pde"
"""What the names of such losses end with."""


def check_equation(values: Mapping[str, Any]) -> Iterator[Problem]:
    """The problems of a configuration whose task and losses do not go together."""
    task, loss = values.get("task"), values.get("loss")
    solves = str(task.get("type") if isinstance(task, dict) else task).lower() == "pde"
    losses = [item for item in (loss if isinstance(loss, list) else [loss]) if isinstance(item, dict)]
    equations = [item for item in losses if str(item.get("function")).lower().endswith(_SUFFIX)]
    if solves and losses and (isinstance(loss, list) or not equations):
        known = ", ".join(form.name for name, form in catalog.group("loss").items() if name.endswith(_SUFFIX))
        yield Problem("loss", f"the task `pde` takes one differential equation: {known}")
    if not solves:
        for item in equations:
            if item.get("boundary") == "exact":
                message = (
                    "`exact` makes the solution of the network's output, which only the task `pde` predicts; set "
                    '"task": "pde", or start with --app=pde'
                )
                yield Problem("loss.boundary", message)
