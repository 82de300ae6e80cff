"""Questions on a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rmldnn.errors import ConfigError

_Answer = TypeVar("_Answer")


class Asking:
    """Questions, each with an answer to which Enter is enough.

    Args:
        silent: Takes all these answers, and asks nothing.
    """

    def __init__(self, *, silent: bool) -> None:
        self.silent = silent

    def __call__(self, question: str, usual: str, understood: Callable[[str], _Answer]) -> _Answer:
        """The answer; asks again after one that is wrong.

        Args:
            question: What is asked.
            usual: The answer that Enter gives.
            understood: Makes of the answer what is meant.
        """
        while not self.silent:
            answer = input(f"{question} [{usual}]: ").strip() or usual
            try:
                return understood(answer)
            except ConfigError as error:
                print(f"  {error}")
        return understood(usual)


def one_of(known: Sequence[str]) -> Callable[[str], Any]:
    """Takes one of some answers."""

    def understood(answer: str) -> str:
        if answer not in known:
            raise ConfigError(f"must be {', '.join(known[:-1])} or {known[-1]}, got {answer}")
        return answer

    return understood


def count(answer: str) -> int:
    """A positive integer."""
    if not re.fullmatch(r"[1-9]\d*", answer):
        raise ConfigError(f"must be a positive integer, got {answer}")
    return int(answer)


def fraction(answer: str) -> float:
    """A part of the whole, but not all of it."""
    if not re.fullmatch(r"0|0?\.\d+", answer):
        raise ConfigError(f"must be a number at least 0 and less than 1, got {answer}")
    return float(answer)
