"""Torch's compiler, which is imported when something is compiled, and not sooner: it takes as long as torch itself.

Torch imports it at the first call of any function that is not to be compiled: of optimizers, and of operations on the
`meta` device that are written in Python.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

import torch

_NAME = "torch._dynamo"
_PACKAGE = "__path__"
"""What Python asks for before it imports a part of the compiler."""


@contextmanager
def without_compiler() -> Iterator[None]:
    """Spares torch the import of its compiler until anything is asked of it but not to compile."""
    if _NAME in sys.modules:
        yield
        return
    stand_in = _StandIn()
    sys.modules[_NAME] = vars(torch)["_dynamo"] = stand_in
    try:
        yield
    finally:
        stand_in.leave()


@contextmanager
def uncompiled() -> Iterator[None]:
    """Leaves functions as they are that a library decorates by `torch.compile` while it is imported."""
    compiling = torch.compile

    def leave(function: Callable[..., Any] | None = None, **_: Any) -> Any:
        return function or leave

    vars(torch)["compile"] = leave
    try:
        yield
    finally:
        vars(torch)["compile"] = compiling


class _StandIn(ModuleType):
    """Stands where the compiler will be, and makes way for it."""

    def __init__(self) -> None:
        super().__init__(_NAME)
        self._exempt: list[Callable[..., Any]] = []
        self._moving = threading.RLock()

    def disable(self, function: Callable[..., Any] | None = None, *words: Any, **keys: Any) -> Any:
        """Exempts a function from what does not happen."""
        if function is None or sys.modules.get(_NAME) is not self:
            return self._compiler().disable(function, *words, **keys)
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

    def _compiler(self) -> Any:
        self.leave()
        return import_module(_NAME)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != _PACKAGE:  # who only looks through all modules needs no compiler
            raise AttributeError(name)
        return getattr(self._compiler(), name)
