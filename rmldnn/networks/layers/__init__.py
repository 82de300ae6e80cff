"""Layers, one function each: the modules of this package are the registry, and adding a layer is adding a function.

A layer is a component whose keyword-only parameters are Keras' keys. Its positional parameters come from the builder,
by their names:

- `shape`, the Keras shape of its input without the batch, or `shapes` if it takes several inputs;
- `arguments`, how the file calls it (`graph.Arguments`), if that says more than which tensors enter;
- `keras`, the generation of Keras that wrote the file, 2 or 3, if that changes what it computes.

It returns a `rmldnn.networks.layer.Layer`.

The sources are read, not imported, to see which layers there are: judging a network file needs no torch.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Entry:
    """Where a layer is.

    Args:
        name: What users call it.
        module: The module that holds it.
        function: Its function there.
        takes: Its positional parameters.
    """

    name: str
    module: str
    function: str
    takes: tuple[str, ...]

    @property
    def merges(self) -> bool:
        """Whether it takes several inputs."""
        return "shapes" in self.takes

    def load(self) -> Callable[..., Any]:
        """Imports the layer's function."""
        function: Callable[..., Any] = getattr(import_module(self.module), self.function)
        return function


def find(class_name: str) -> Entry | None:
    """The layer of this name, matched without regard to case; None if there is none."""
    return _entries().get(class_name.lower())


def names() -> list[str]:
    """What all layers are called."""
    return [entry.name for entry in _entries().values()]


@functools.cache
def _entries() -> dict[str, Entry]:
    return {
        entry.name.lower(): entry
        for file in sorted(Path(__file__).parent.glob("*.py"))
        for statement in ast.parse(file.read_text(encoding="utf-8")).body
        if (entry := _entry(statement, f"{__name__}.{file.stem}")) is not None
    }


def _entry(statement: ast.stmt, module: str) -> Entry | None:
    match statement:
        case ast.FunctionDef(
            name=function,
            args=ast.arguments(args=positional),
            decorator_list=[ast.Call(func=ast.Name(id="component"), args=[ast.Constant(value=str(name))])],
        ):
            return Entry(name, module, function, tuple(argument.arg for argument in positional))
    return None
