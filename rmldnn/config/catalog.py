"""Which components there are, read from source text: nothing is imported, so nothing heavy and nobody's code runs.

A group is a package (every module in it may hold components) or one module. A component is a top-level function or
class marked with `@component("Name")`; its keyword-only parameters are the keys that users write.
"""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
from pathlib import Path
from typing import Annotated, Any, Literal

import rmldnn
from rmldnn import types
from rmldnn.component import Form, Parameter, near_miss

GROUPS = {
    "job": "rmldnn.run",
    "task": "rmldnn.applications",
    "compute": "rmldnn.engine.compute",
    "engine": "rmldnn.engine.zero",
    "network": "rmldnn.networks.compile",
    "zoo": "rmldnn.networks.zoo",
    "layer": "rmldnn.networks.layers",
    "data": "rmldnn.data.dataset",
    "source": "rmldnn.data.sources",
    "transform": "rmldnn.data.transforms",
    "slicer": "rmldnn.data.slicer",
    "loss": "rmldnn.losses",
    "metric": "rmldnn.metrics",
    "optimizer": "rmldnn.optimizers",
    "scheduler": "rmldnn.schedulers",
    "checkpoints": "rmldnn.engine.checkpoint",
    "early_stopping": "rmldnn.engine.stopping",
    "multigrid": "rmldnn.engine.multigrid",
    "predictions": "rmldnn.output.predictions",
    "tracker": "rmldnn.output.trackers",
}

_KINDS = {"zoo": "network family"}
"""What messages call the components of a group, where that is not the group's name."""
_NAMES = {**vars(builtins), **vars(types), "Literal": Literal, "Annotated": Annotated, "Any": Any}


@functools.cache
def group(name: str) -> dict[str, Form]:
    """All components of a group, by lower-case name."""
    module = GROUPS[name]
    path = Path(rmldnn.__file__).parent.joinpath(*module.split(".")[1:])
    files = sorted(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    forms: dict[str, Form] = {}
    for file in files:
        inner = module if not path.is_dir() or file.stem == "__init__" else f"{module}.{file.stem}"
        for form in _forms(file, inner):
            if form.name.lower() in forms:
                raise ValueError(f"two components of group {name} are called {form.name}")
            forms[form.name.lower()] = form
    return forms


def find(name: str, component: str) -> Form | None:
    """The component of a group by its name, matched without regard to case; None if there is none."""
    return group(name).get(component.lower())


def only(name: str) -> Form:
    """The component of a group that has just one."""
    (form,) = group(name).values()
    return form


def absent(name: str, component: str) -> str:
    """The message for a component that a group does not have."""
    return f"there is no {_KINDS.get(name, name)} `{component}`{suggest(name, component)}"


def suggest(name: str, component: str) -> str:
    """A near miss, or the list of what the group has, for a component that it does not have."""
    return near_miss(component, [form.name for form in group(name).values()])


def _forms(file: Path, module: str) -> list[Form]:
    text = file.read_text(encoding="utf-8")
    if "@component(" not in text:
        return []
    forms = []
    for node in ast.parse(text).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "component":
                    forms.append(_form(node, mark, module))
    return forms


def _form(node: ast.FunctionDef | ast.ClassDef, mark: ast.Call, module: str) -> Form:
    name = ast.literal_eval(mark.args[0])
    titles = [ast.literal_eval(keyword.value) for keyword in mark.keywords if keyword.arg == "title"]
    arguments = _signature(node)
    parameters = {
        argument.arg: Parameter(
            argument.arg,
            _annotation(argument.annotation),
            inspect.Parameter.empty if default is None else ast.literal_eval(default),
        )
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    }
    title = titles[0] if titles else name
    return Form(name, f"{module}.{node.name}", parameters, title, ast.get_docstring(node) or "")


def _signature(node: ast.FunctionDef | ast.ClassDef) -> ast.arguments:
    if isinstance(node, ast.FunctionDef):
        return node.args
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
            return inner.args
    raise ValueError(f"component {node.name} has no __init__ whose parameters could be its keys")


def _annotation(node: ast.expr | None) -> Any:
    if node is None:
        return Any
    return eval(compile(ast.Expression(node), "<annotation>", "eval"), _NAMES)  # noqa: S307 - text of this package
