"""Torch's compiler, which is imported when something is compiled, and not sooner: it takes as long as torch itself.

Torch imports it at the first call of any function that is not to be compiled: of optimizers, and of operations on the
`meta` device that are written in Python.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FunctionType, ModuleType
from typing import Any

import torch

_NAME = "torch._dynamo"
_LAZY = "torch._compile"
"""The module of torch that asks at each call anew whether a function is exempted."""


@contextmanager
def without_compiler() -> Iterator[None]:
    """Spares torch the import of its compiler until anything is asked of it but to leave a function alone."""
    if _NAME in sys.modules:
        yield
        return
    stand_in = _StandIn()
    finder = _Parts(stand_in)
    sys.modules[_NAME] = vars(torch)["_dynamo"] = stand_in
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        stand_in.leave()


@contextmanager
def undecorated() -> Iterator[None]:
    """Leaves functions as they are that a library decorates by `torch.compile` while it is imported."""
    compiling = torch.compile

    def leave(model: Callable[..., Any] | None = None, **_: Any) -> Any:
        return leave if model is None else model

    vars(torch)["compile"] = leave
    try:
        yield
    finally:
        vars(torch)["compile"] = compiling


class _StandIn(ModuleType):
    """Stands where the compiler will be, and makes way for it."""

    def __init__(self) -> None:
        super().__init__(_NAME)
        self.__path__: list[str] = []  # it is a package, whose parts the finder knows
        self._exempt: list[FunctionType] = []
        self._moving = threading.RLock()

    def disable(self, function: Any = None, recursive: bool = True, **keys: Any) -> Any:
        """Exempts a function from what does not happen yet."""
        if sys.modules.get(_NAME) is not self or not isinstance(function, FunctionType):
            return self.compiler().disable(function, recursive, **keys)
        if sys._getframe(1).f_globals.get("__name__") != _LAZY:
            return vars(torch)["_disable_dynamo"](function, recursive)
        self._exempt.append(function)
        return function

    def graph_break(self, *_: Any, **__: Any) -> None:
        """Parts what is compiled before and behind; means nothing in what is not."""

    def leave(self) -> None:
        """Lets the next one who asks import the compiler."""
        with self._moving:
            if sys.modules.get(_NAME) is self:
                del sys.modules[_NAME]
                vars(torch).pop("_dynamo", None)
            for function in self._exempt:  # torch remembers there that it was exempted
                vars(function).pop("__dynamo_disable", None)
            self._exempt.clear()

    def compiler(self) -> Any:
        """The compiler itself, in its place."""
        self.leave()
        return import_module(_NAME)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # who only looks through all modules needs no compiler
            raise AttributeError(name)
        return getattr(self.compiler(), name)


class _Parts(MetaPathFinder):
    """Finds the parts of the compiler behind its stand-in: `import torch._dynamo.config` imports all of it."""

    def __init__(self, stand_in: _StandIn) -> None:
        self._stand_in = stand_in

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        """What Python asks for; None of all other modules."""
        if not name.startswith(f"{_NAME}.") or sys.modules.get(_NAME) is not self._stand_in:
            return None
        self._stand_in.compiler()
        return _Loaded(sys.modules[name]).spec if name in sys.modules else importlib.util.find_spec(name)


class _Loaded(Loader):
    """Gives a module that came meanwhile, where Python would execute it once more.

    Python found it absent, asked for its specification, and takes the one that the module has by then.
    """

    def __init__(self, module: ModuleType) -> None:
        self._module, self._own = module, module.__spec__
        self.spec = vars(module)["__spec__"] = ModuleSpec(module.__name__, self)

    def create_module(self, _: ModuleSpec) -> ModuleType:
        """The module."""
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """Gives it back its own specification."""
        vars(module)["__spec__"] = self._own
