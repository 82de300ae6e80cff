"""Which components there are, read from source text: nothing is imported, so nothing heavy and nobody's code runs.

A group is a package (every module in it may hold components) or one module. A component is a top-level function or
class marked with `@component("Name")`; its keyword-only parameters are the keys that users write.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib.util
import inspect
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, Literal

import rmldnn
from rmldnn import types
from rmldnn.component import Form, Parameter, near_miss, renamed
from rmldnn.errors import COMMAND_LINE, ConfigError, Problem

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
    "sweep": "rmldnn.sweeps.settings",
}

PLUGINS = "plugins"
_OWN: set[str] = set()
"""Files of modules of the user's own."""
PLUGGABLE = ("loss", "metric", "optimizer", "scheduler", "transform", "source", "layer")
"""Groups to which users may add."""
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
        for form, _ in _forms(file, inner):
            if form.name.lower() in forms:
                raise ValueError(f"two components of group {name} are called {form.name}")
            forms[form.name.lower()] = form
    return forms


def plug(module: str) -> None:
    """Adds the components of a module of the user's own, marked by `@component("Name", group="loss")`.

    Raises:
        ConfigError: There is no such module, it has no components, or one that cannot be added.
    """
    sys.path[:] = [*dict.fromkeys([*sys.path, str(Path.cwd())])]  # a module may lie where the command is typed
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is None or not found.has_location or found.origin is None:
        raise ConfigError(Problem(PLUGINS, f"there is no module `{module}`", COMMAND_LINE))
    try:
        _OWN.add(found.origin)
        ast.parse(Path(found.origin).read_text(encoding="utf-8"))
        forms = _forms(Path(found.origin), module)
    except SyntaxError as error:
        raise ConfigError(Problem(PLUGINS, f"{error.msg} in `{module}`", f"{found.origin}:{error.lineno}")) from error
    except (ValueError, NameError) as error:
        message = f"the components of `{module}` cannot be read: {error}"
        raise ConfigError(Problem(PLUGINS, message, COMMAND_LINE)) from error
    for form, place in forms:
        if place not in PLUGGABLE:
            fault = f"says the group `{place}`, which has no place for it" if place else "says no group"
            message = f'`{form.name}` of `{module}` {fault}; write @component("{form.name}", group="loss"), or one of'
            raise ConfigError(Problem(PLUGINS, f"{message} {', '.join(PLUGGABLE)}", COMMAND_LINE))
        known = group(place).setdefault(form.name.lower(), form)
        if known.target != form.target:
            raise ConfigError(Problem(PLUGINS, f"there is a {place} `{form.name}` already", COMMAND_LINE))
    if not forms:
        raise ConfigError(Problem(PLUGINS, f"`{module}` has no function marked by @component", COMMAND_LINE))


def own_line(error: BaseException) -> str | None:
    """`file:line` of a module of the user's own in which an error arose; None if it arose elsewhere."""
    frames = reversed(traceback.extract_tb(error.__traceback__))
    return next((f"{frame.filename}:{frame.lineno}" for frame in frames if frame.filename in _OWN), None)


def plugged(name: str) -> dict[str, Form]:
    """The components of a group that are the user's own."""
    return {key: form for key, form in group(name).items() if not form.target.startswith("rmldnn.")}


def find(name: str, component: str) -> Form | None:
    """The component of a group by its name, matched without regard to case; None if there is none."""
    return group(name).get(component.lower())


def only(name: str) -> Form:
    """The component of a group that has just one."""
    (form,) = group(name).values()
    return form


def absent(name: str, component: str) -> str:
    """The message for a component that a group does not have."""
    return f"there is no {kind(name)} `{component}`{suggest(name, component)}"


def kind(name: str) -> str:
    """What messages call the components of a group."""
    return _KINDS.get(name, name)


def unknown(name: str, component: str, path: str, kind: Literal["key", "value"] = "value") -> Problem:
    """The problem of a component that a group does not have, at the place where it is named, as a value or as a key."""
    known = [form.name for form in group(name).values()]
    return Problem(path, absent(name, component), remedy=renamed(component, known, kind))


def suggest(name: str, component: str) -> str:
    """A near miss, or the list of what the group has, for a component that it does not have."""
    return near_miss(component, [form.name for form in group(name).values()])


def _forms(file: Path, module: str) -> list[tuple[Form, str]]:
    """The components of a file, each with the group that it says itself."""
    text = file.read_text(encoding="utf-8")
    if "@component(" not in text:
        return []
    forms = []
    for node in ast.parse(text).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "component":
                    forms.append((_form(node, mark, module), _keyword(mark, "group")))
    return forms


def _form(node: ast.FunctionDef | ast.ClassDef, mark: ast.Call, module: str) -> Form:
    name = ast.literal_eval(mark.args[0])
    arguments = _signature(node)
    parameters = {
        argument.arg: Parameter(
            argument.arg,
            _annotation(argument.annotation),
            inspect.Parameter.empty if default is None else ast.literal_eval(default),
        )
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    }
    title = _keyword(mark, "title") or name
    return Form(name, f"{module}.{node.name}", parameters, title, ast.get_docstring(node) or "")


def _keyword(mark: ast.Call, name: str) -> str:
    """A keyword of the decorator; empty if it is not there."""
    return next((str(ast.literal_eval(keyword.value)) for keyword in mark.keywords if keyword.arg == name), "")


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
    if isinstance(node, ast.Name) and node.id in _NAMES:
        return _NAMES[node.id]  # most of them; compiling takes a tenth of a millisecond each
    return eval(compile(ast.Expression(node), "<annotation>", "eval"), _NAMES)  # noqa: S307 - text of this package
